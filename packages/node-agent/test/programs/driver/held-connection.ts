import net from 'node:net';
import type { Site } from './program.js';

/** A visitor's connection that asks for nothing: open when the program is put to sleep, as those of browsers and gateways are. */
export function holdConnection({ address }: Site): Promise<{ close(): void }> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), host, () => resolve({ close: () => socket.destroy() }));
    // What becomes of it is the engine's choice; that the program copes with it is looked at.
    socket.on('error', reject);
  });
}
