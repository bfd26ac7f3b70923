/** Fields that belong to one connection and go no further (RFC 9110, 7.6.1), and those that only speak to a proxy. */
const hopByHop: readonly string[] = [
  'connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade',
  'proxy-authenticate', 'proxy-authorization', 'proxy-authentication-info',
];

/** Those, and an expectation: the gateway meets it by itself (ADR 0021). */
const inRequests: readonly string[] = [...hopByHop, 'expect', 'http2-settings'];

/**
 * Names by length: most fields of a request are told apart by that alone, without lowering their case.
 */
export type NameSet = readonly (readonly string[] | undefined)[];

export function nameSet(names: readonly string[]): NameSet {
  const byLength: string[][] = [];
  for (const name of names) (byLength[name.length] ??= []).push(name);
  return byLength;
}

export const requestOnlyHop = nameSet(inRequests);
export const responseOnlyHop = nameSet(hopByHop);

/** The name in lower case when it is one of the set. */
export function nameIn(set: NameSet, name: string): string | undefined {
  const candidates = set[name.length];
  if (candidates === undefined) return undefined;
  const lower = name.toLowerCase();
  return candidates.includes(lower) ? lower : undefined;
}

/** Fields that a Connection field names beside `close` and `keep-alive`: they go no further either. Lower case. */
export function namedByConnection(value: string): readonly string[] {
  if (value === 'keep-alive' || value === 'close' || value === 'Keep-Alive') return none;
  return value.toLowerCase().split(',').map((token) => token.trim()).filter((token) => token !== '' && token !== 'close' && token !== 'keep-alive');
}
const none: readonly string[] = [];
