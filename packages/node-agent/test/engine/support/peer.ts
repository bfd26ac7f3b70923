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

  constructor({ address }: Pick<Running, 'address'>) {
    const [host = '', port = ''] = address.split(':');
    this.#socket = net.connect(Number(port), host);
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

  async hears(line: string): Promise<void> {
    await this.#comes(() => this.#text.includes(`${line}\n`), () => `the peer to hear ${line}, not ${this.#text.slice(-100)} (${this.#error || 'no error'})`);
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
