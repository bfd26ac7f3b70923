import { connect } from 'node:net';

export interface TimedReply {
  /** From the start of the request to the first byte of the answer, over a new connection. */
  readonly tookMs: number;
  /** Durations by name, in their order; of a response that did not have to wait for a wake, empty. */
  readonly serverTiming: readonly (readonly [string, number])[];
}

/**
 * A visitor over a connection of its own: as little of a client as possible, since it runs on the cores that are measured.
 * @throws Error on any status but 200
 */
export function timedRequest({ port, host }: { port: number; host: string }): Promise<TimedReply> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    let tookMs = 0;
    let text = '';
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    socket.on('data', (bytes) => {
      tookMs ||= performance.now() - startedAt;
      text += bytes.toString('latin1');
    });
    socket.once('error', reject);
    socket.once('end', () => {
      if (text.startsWith('HTTP/1.1 200 ')) resolve({ tookMs, serverTiming: parseServerTiming(/^server-timing: *(.*)$/im.exec(text)?.[1]) });
      else reject(new Error(`${host} answered ${text.slice(0, 80)}`));
    });
  });
}

function parseServerTiming(header = ''): [string, number][] {
  return header.split(',').flatMap((entry) => {
    const match = /^\s*([^;\s]+).*;dur=([\d.]+)/.exec(entry);
    return match === null ? [] : [[match[1] ?? '', Number(match[2])] as [string, number]];
  });
}
