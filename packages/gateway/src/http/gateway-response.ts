import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Visit } from '../path/visit.js';
import { nowBusy, nowIdle } from './idle-connections.js';

/** A response that knows whose it is, so that its listeners need no closure, and that says when its turn has come. */
export class GatewayResponse extends ServerResponse {
  visit: Visit | undefined;
  /** All of it as it goes out, when it is `writeWhole` that writes it. */
  whole: string | undefined;
  /** Written by `writeWhole`; Node's own marks (`headersSent`, `writableFinished`) then stay false. */
  wholeWritten = false;
  /** Called once when all responses before it on its connection are finished. */
  onTurn: (() => void) | undefined;

  /** False for a pipelined request that was read while a response before it is still being written. */
  get hasTurn(): boolean {
    return this.socket !== null;
  }

  override assignSocket(socket: Socket): void {
    super.assignSocket(socket);
    nowBusy(socket);
    const { onTurn } = this;
    this.onTurn = undefined;
    onTurn?.();
  }

  override detachSocket(socket: Socket): void {
    super.detachSocket(socket);
    nowIdle(socket);
  }
}
