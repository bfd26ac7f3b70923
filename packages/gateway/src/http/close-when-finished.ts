import { once } from 'node:events';
import type { Socket } from 'node:net';

/** Resolves when all of them are closed. */
export async function closeWhenFinished(sockets: ReadonlySet<Socket>): Promise<void> {
  await Promise.all([...sockets].map(async (socket) => socket.closed || once(socket, 'close')));
}
