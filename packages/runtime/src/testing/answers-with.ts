import { connect } from 'node:net';

/** Whether what listens on the port says `expected` first (after `say`, if given). */
export function answersWith(port: number, expected: string, say?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let heard = '';
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.once('connect', () => say !== undefined && socket.write(say));
    socket.on('data', (chunk) => {
      heard += chunk.toString();
      if (heard.length >= expected.length) end(heard.startsWith(expected));
    });
  });
}
