import { connect, type Socket } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';

const agent = new Agent({ connections: 1_000, keepAliveTimeout: 100 });

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  trailers: Record<string, string>;
}

/** A real request through a gateway, to the host name. */
export async function visit(gateway: { address: string }, host: string, path = '/', options: Partial<Dispatcher.RequestOptions> = {}): Promise<Answer> {
  const response = await request(`http://${gateway.address}${path}`, { dispatcher: agent, ...options, headers: { ...(options.headers as Record<string, string>), host } } as never);
  return { status: response.statusCode, headers: response.headers, text: await response.body.text(), trailers: response.trailers };
}

/** A bare connection: what it says is sent as it stands, what comes back is kept. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  ended = false;
  #waiting: (() => void)[] = [];

  constructor({ address }: { address: string }) {
    const [host, port] = address.split(':');
    this.socket = connect({ host: host!, port: Number(port), allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      this.#tell();
    });
    this.socket.on('error', () => {});
    for (const event of ['end', 'close']) this.socket.on(event, () => {
      this.ended = true;
      this.#tell();
    });
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  async until(what: string | RegExp): Promise<string> {
    const here = (): boolean => (typeof what === 'string' ? this.received.includes(what) : what.test(this.received));
    while (!here()) {
      if (this.ended) throw new Error(`closed before ${what}; received: ${this.received}`);
      await this.#next();
    }
    return this.received;
  }

  /** Everything until the other side ends. */
  async all(): Promise<string> {
    while (!this.ended) await this.#next();
    this.socket.destroy();
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }

  #next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
