import type { IncomingMessage } from 'node:http';
import type { Problem } from '../answer/problem.js';
import { requestHeaders, type RequestHeaderOptions } from '../headers/request-headers.js';
import type { Address } from './address-of.js';

/** A request as it will be sent, however often that has to be tried. */
export interface PreparedRequest {
  readonly method: string;
  readonly path: string;
  /** Flat: name, value, name, value … */
  readonly headers: string[];
  readonly hasBody: boolean;
  readonly expectsContinue: boolean;
  /** The protocol to change to. */
  readonly upgrade: string | null;
  /** Sending it twice does no more than sending it once, and there is no body that is gone after the first time. */
  readonly replayable: boolean;
}

const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/**
 * Third stage: is the request sound, and what goes to the instance? What two servers might read differently goes
 * nowhere: that is how requests are smuggled. (Node's parser has refused two lengths, bad lengths and bad chunks already.)
 */
export function prepareRequest(request: IncomingMessage, { host, path }: Address, options: RequestHeaderOptions & { upgrading: boolean }): PreparedRequest | Problem {
  const { headers } = request;
  const method = request.method!;
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return { kind: 'not-implemented', because: `a transfer coding other than "chunked"` };
  const hasBody = coding !== undefined || (headers['content-length'] !== undefined && Number(headers['content-length']) > 0);
  if (options.upgrading && hasBody) return { kind: 'bad-request', because: 'it has a body and asks for another protocol' };
  const out = requestHeaders(request, host, options);
  if (hasTwoHosts(out)) return { kind: 'bad-request', because: 'it has more than one Host field' };
  return {
    method,
    path,
    headers: path === request.url ? out : withHost(out, host),
    hasBody,
    expectsContinue: headers.expect !== undefined && request.httpVersionMinor !== 0,
    upgrade: options.upgrading ? upgradeOf(headers.upgrade) : null,
    replayable: !hasBody && safe.has(method),
  };
}

function hasTwoHosts(headers: readonly string[]): boolean {
  let hosts = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}

/** The host of an absolute target takes the place of the field's. */
function withHost(headers: readonly string[], host: string): string[] {
  const out = ['host', host];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== 'host') out.push(headers[i]!, headers[i + 1]!);
  }
  return out;
}

/** HTTP/2 in clear text is not offered: whoever asks is answered in HTTP/1.1, as if it had not asked. */
function upgradeOf(protocol: string | undefined): string | null {
  return protocol === undefined || /^h2c?\b/i.test(protocol) ? null : protocol;
}
