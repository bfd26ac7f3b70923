import { request } from 'node:http';

export interface TimedReply {
  /** From the start of the request to the first byte of the answer, over a new connection. */
  readonly tookMs: number;
  /** Durations by name, in their order; of a response that did not have to wait for a wake, empty. */
  readonly serverTiming: readonly (readonly [string, number])[];
}

/** @throws Error on any status but 200 */
export function timedRequest({ port, host }: { port: number; host: string }): Promise<TimedReply> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, agent: false, headers: { host } }, (response) => {
      const tookMs = performance.now() - startedAt;
      response.resume();
      response.once('end', () => {
        if (response.statusCode === 200) resolve({ tookMs, serverTiming: parseServerTiming(response.headers['server-timing']) });
        else reject(new Error(`${host} answered ${response.statusCode}`));
      });
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

function parseServerTiming(header: string | string[] | undefined): [string, number][] {
  const entries = [header ?? []].flat().join(',').split(',');
  return entries.flatMap((entry) => {
    const match = /^\s*([^;\s]+).*;dur=([\d.]+)/.exec(entry);
    return match === null ? [] : [[match[1] ?? '', Number(match[2])] as [string, number]];
  });
}
