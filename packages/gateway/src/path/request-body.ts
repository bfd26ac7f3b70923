import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/**
 * A request's body on its way to an instance. A stream between the two, because the sender destroys what it was given
 * to send: destroying the visitor's request itself would cut off a response that comes before the upload is finished.
 * Nothing is read from the visitor before the instance is connected, so a refused connection costs no body.
 */
export class RequestBody extends Readable {
  readonly #from: IncomingMessage;
  readonly #onFirstRead: () => void;
  #started = false;

  /** @param onFirstRead the instance is there and wants the body: time for a 100 Continue */
  constructor(from: IncomingMessage, onFirstRead: () => void) {
    super({ autoDestroy: false });
    this.#from = from;
    this.#onFirstRead = onFirstRead;
    // Whoever sends it has its own listener only while it sends.
    this.on('error', () => {});
  }

  /** From here on the request cannot be sent a second time. */
  get consumed(): boolean {
    return this.#started;
  }

  override _read(): void {
    if (!this.#started) {
      this.#started = true;
      this.#onFirstRead();
      this.#from.on('data', this.#onData).on('end', this.#onEnd);
    }
    this.#from.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.#started) {
      // Without a listener the rest of the upload flows into nothing: the next request on the connection comes after it.
      this.#from.off('data', this.#onData).off('end', this.#onEnd);
      this.#from.resume();
    }
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.push(chunk)) this.#from.pause();
  };

  readonly #onEnd = (): void => {
    this.push(null);
  };
}
