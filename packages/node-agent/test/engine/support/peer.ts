import net from 'node:net';
import { waitUntil } from '@appshot/runtime/testing';
import type { Running } from '../../../src/engine/engine.js';

/** One connection to `fixtures/echo.mjs` from outside, as a visitor or another server would have it. */
export class Peer {
  readonly #socket: net.Socket;
  #text = '';
  #error = '';
  /** How much has come. */
  bytes = 0;
  isOver = false;
  /** The connection has been made. */
  isIn = false;

  constructor({ address }: Pick<Running, 'address'>, { allowHalfOpen = false } = {}) {
    const [host = '', port = ''] = address.split(':');
    this.#socket = net.connect({ port: Number(port), host, allowHalfOpen });
    this.#socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.#text = (this.#text + chunk.toString()).slice(-10_000);
    });
    this.#socket.on('connect', () => { this.isIn = true; });
    this.#socket.on('error', (error: Error) => { this.#error = error.message; });
    this.#socket.on('close', () => { this.isOver = true; });
  }

  say(text: string): void {
    this.#socket.write(`${text}\n`);
  }

  /** What has come last, and why it is over if it was not by an end. */
  get text(): string {
    return this.#text;
  }

  get error(): string {
    return this.#error;
  }

  /** What has come so far is heard no more. */
  forget(): void {
    this.#text = '';
  }

  async hears(text: string, { line = true } = {}): Promise<void> {
    await this.#comes(() => this.#text.includes(line ? `${text}\n` : text), () => `the peer to hear ${text}, not ${this.#text.slice(-100)} (${this.#error || 'no error'})`);
  }

  async hearsBytes(count: number): Promise<void> {
    await this.#comes(() => this.bytes >= count, () => `the peer to hear ${count} bytes, not ${this.bytes} (${this.#error || 'no error'})`);
  }

  async ends(): Promise<void> {
    await this.#comes(() => this.isOver, () => 'the connection to be over');
  }

  /** Reads nothing until `listen()`. */
  turnAway(): void {
    this.#socket.pause();
  }

  listen(): void {
    this.#socket.resume();
  }

  /** Says no more; what comes is still heard. Should the other end be gone without a word, nobody waits for it. */
  end(): void {
    this.#socket.end();
    this.#socket.unref();
  }

  /** Ends without waiting for anybody. */
  leave(): void {
    this.#socket.destroy();
  }

  async #comes(condition: () => boolean, what: () => string): Promise<void> {
    await waitUntil(() => Promise.resolve(condition()), { everyMs: 10, what: 'it' }).catch((error: unknown) => {
      throw new Error(`waited for ${what()}`, { cause: error });
    });
  }
}
