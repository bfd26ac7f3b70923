import { IncomingMessage } from 'node:http';

/**
 * A request of which nothing is read that is not there. When a response is finished Node drains its request, by its
 * internal `_dump`; for a request without a body that is four turns of the event queue for nothing, a tenth of the
 * gateway's CPU time. Were the method renamed some day, only that would be lost.
 */
export class GatewayRequest extends IncomingMessage {
  _dump(): void {
    if (this.complete && this.readableLength === 0) return;
    (IncomingMessage.prototype as unknown as { _dump(this: IncomingMessage): void })._dump.call(this);
  }
}
