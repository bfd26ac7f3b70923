import { KeeperConnection, keeperProgram } from '@appshot/native';
import { EngineError } from './engine-error.js';
import type { EngineEvent } from './engine.js';

export interface KeeperLinkOptions {
  /** The engine's directory; made where it does not exist. */
  readonly dir: string;
  readonly onEvent: (event: EngineEvent) => void;
}

/**
 * The connection to the keeper of an engine directory. When it is lost (a keeper that was killed), it is made again at once:
 * the next keeper adopts the instances that run, and goes on watching them.
 */
export class KeeperLink {
  readonly #options: KeeperLinkOptions;
  #connection: Promise<KeeperConnection> | null = null;
  /** The connection while it stands: a call goes out in the turn in which it is made. */
  #live: KeeperConnection | null = null;
  #closed = false;

  constructor(options: KeeperLinkOptions) {
    this.#options = options;
  }

  /** @throws EngineError */
  async start(): Promise<void> {
    await this.#connected();
  }

  /** @throws EngineError; `unavailable` when the connection was lost: it is not known then whether the call was done. */
  async call<T>(method: string, params: Record<string, unknown>, descriptors?: readonly number[]): Promise<T> {
    const connection = this.#live ?? await this.#connected();
    try {
      return JSON.parse(await connection.call(method, JSON.stringify(params), descriptors)) as T;
    } catch (error) {
      throw EngineError.of(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#live = null;
    const connection = await this.#connection?.catch(() => null);
    connection?.close();
  }

  #connected(): Promise<KeeperConnection> {
    if (this.#closed) return Promise.reject(new EngineError('unavailable', 'the engine was closed'));
    this.#connection ??= this.#connect();
    return this.#connection;
  }

  async #connect(): Promise<KeeperConnection> {
    const connection = new KeeperConnection(
      this.#options.dir, keeperProgram,
      (json) => this.#options.onEvent(JSON.parse(json) as EngineEvent),
      () => this.#lost(),
    );
    try {
      await connection.connect();
      if (!this.#closed) this.#live = connection;
      return connection;
    } catch (error) {
      this.#connection = null;
      throw EngineError.of(error);
    }
  }

  #lost(): void {
    this.#connection = null;
    this.#live = null;
    // Whoever calls next gets the error, if there is one again.
    if (!this.#closed) void this.#connected().catch(() => undefined);
  }
}
