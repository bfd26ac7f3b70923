import net from 'node:net';
import { patienceMs } from '@appshot/runtime/testing';
import type { Site } from '../driver/program.js';

/** Sends a text over a connection of its own, and resolves to what came back up to `end`. */
export function exchange({ address }: Pick<Site, 'address'>, text: string, end: RegExp): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect(Number(port), host, () => socket.write(text));
    socket.setTimeout(patienceMs, () => socket.destroy(new Error(`no end of the answer in time: ${answer}`)));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (!end.test(answer)) return;
      resolve(answer);
      socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`the connection ended after: ${answer}`)));
  });
}
