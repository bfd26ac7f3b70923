import { nameIn, namedByConnection, responseOnlyHop } from './hop-by-hop.js';

/**
 * Copies the fields of an instance's response, name and value as they came, but for the hop-by-hop ones.
 * @param raw name, value, name, value …
 * @returns the Content-Length, or -1 without one
 */
export function copyResponseHeaders(raw: readonly Buffer[], out: string[]): number {
  let length = -1;
  let connection: string | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toString('latin1');
    const value = raw[i + 1]!.toString('latin1');
    const hop = nameIn(responseOnlyHop, name);
    if (hop === 'connection') connection = connection === undefined ? value : `${connection},${value}`;
    if (hop !== undefined) continue;
    if (name.length === 14 && name.toLowerCase() === 'content-length') length = Number(value);
    out.push(name, value);
  }
  if (connection !== undefined) removeNamed(out, namedByConnection(connection));
  return length;
}

function removeNamed(out: string[], named: readonly string[]): void {
  if (named.length === 0) return;
  for (let i = out.length - 2; i >= 0; i -= 2) {
    const lower = out[i]!.toLowerCase();
    if (named.includes(lower) && lower !== 'content-length') out.splice(i, 2);
  }
}

/** Trailers as Node's `addTrailers` takes them. What frames, routes or controls a message has no place there (RFC 9110, 6.5.1). */
export function trailerPairs(raw: readonly (Buffer | string)[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = latin1(raw[i]!);
    if (!notInTrailers.has(name.toLowerCase())) pairs.push([name, latin1(raw[i + 1]!)]);
  }
  return pairs;
}

const notInTrailers: ReadonlySet<string> = new Set([
  'content-length', 'transfer-encoding', 'host', 'connection', 'trailer', 'te', 'upgrade', 'content-encoding', 'content-type',
  'content-range', 'set-cookie', 'authorization', 'cache-control', 'keep-alive',
]);

function latin1(value: Buffer | string): string {
  return typeof value === 'string' ? value : value.toString('latin1');
}
