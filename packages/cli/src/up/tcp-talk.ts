import { connect } from 'node:net';

const patienceMs = 1_000;

/** Connects, says something, and returns what it heard once `enough` holds; null when that does not come to pass. */
export function tcpTalk(port: number, say: string, enough: (heard: string) => boolean): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let heard = '';
    const end = (answer: string | null): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(patienceMs, () => end(null));
    socket.once('error', () => end(null));
    socket.once('close', () => end(null));
    socket.once('connect', () => { if (say !== '') socket.write(say); });
    socket.on('data', (chunk) => {
      heard += chunk.toString();
      if (enough(heard)) end(heard);
    });
  });
}
