import type { Socket } from 'node:net';
import type { GatewayResponse } from './gateway-response.js';

const waitingOn = new WeakMap<Socket, number>();

/**
 * Pipelined requests are served one after another: only safe ones might run side by side (RFC 9112, 9.3.2), and Node
 * tells of a visitor's end only the response that is being written. While too many wait, nothing more is read.
 */
export function takeTurn(response: GatewayResponse, socket: Socket, { maxPipelined, go }: { maxPipelined: number; go: () => void }): void {
  const waiting = (waitingOn.get(socket) ?? 0) + 1;
  waitingOn.set(socket, waiting);
  if (waiting > maxPipelined) socket.pause();
  response.onTurn = () => {
    const left = waitingOn.get(socket)! - 1;
    waitingOn.set(socket, left);
    if (left === 0) socket.resume();
    go();
  };
}
