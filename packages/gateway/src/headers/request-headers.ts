import type { IncomingMessage } from 'node:http';
import { nameIn, namedByConnection, nameSet, requestOnlyHop } from './hop-by-hop.js';

const forwarded = nameSet(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded']);
/** What frames and routes a request is not the visitor's to take away by naming it in Connection. */
const kept: ReadonlySet<string> = new Set(['host', 'content-length']);

export interface RequestHeaderOptions {
  /** Keep and extend the visitor's `X-Forwarded-*` and `Forwarded`; without it they are replaced. */
  readonly trustForwarded: boolean;
}

/**
 * The fields that go to the instance, flat (name, value, name, value …), names as the visitor wrote them: all but the
 * hop-by-hop ones, and who the visitor is, what it asked for, and that the gateway was there.
 */
export function requestHeaders(request: IncomingMessage, host: string, { trustForwarded }: RequestHeaderOptions): string[] {
  const raw = request.rawHeaders;
  const out: string[] = [];
  const connection = request.headers.connection;
  const named = connection === undefined ? noNames : namedByConnection(connection);
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    if (nameIn(requestOnlyHop, name) !== undefined || nameIn(forwarded, name) !== undefined) continue;
    if (named.length > 0 && isNamed(named, name)) continue;
    out.push(name, raw[i + 1]!);
  }
  addForwarded(out, request, { host, trustForwarded });
  out.push('via', request.httpVersionMinor === 0 ? '1.0 appshot' : '1.1 appshot');
  return out;
}

const noNames: readonly string[] = [];

function isNamed(named: readonly string[], name: string): boolean {
  const lower = name.toLowerCase();
  return named.includes(lower) && !kept.has(lower);
}

function addForwarded(out: string[], request: IncomingMessage, { host, trustForwarded }: { host: string; trustForwarded: boolean }): void {
  const from = request.socket.remoteAddress ?? 'unknown';
  if (!trustForwarded) {
    out.push('x-forwarded-for', from, 'x-forwarded-proto', 'http', 'x-forwarded-host', host);
    return;
  }
  const { headers } = request;
  const before = headers['x-forwarded-for'];
  out.push('x-forwarded-for', before === undefined ? from : `${one(before)}, ${from}`);
  out.push('x-forwarded-proto', one(headers['x-forwarded-proto'] ?? 'http'));
  out.push('x-forwarded-host', one(headers['x-forwarded-host'] ?? host));
  if (headers.forwarded !== undefined) out.push('forwarded', headers.forwarded);
}

function one(value: string | string[]): string {
  return typeof value === 'string' ? value : value.join(', ');
}
