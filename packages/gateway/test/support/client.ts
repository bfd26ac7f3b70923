import { once } from 'node:events';
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

  constructor({ address }: { address: string }) {
    const [host, port] = address.split(':');
    this.socket = connect({ host: host!, port: Number(port), allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
    this.socket.on('error', () => {});
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  async until(what: string | RegExp): Promise<string> {
    while (!(typeof what === 'string' ? this.received.includes(what) : what.test(this.received))) {
      if (this.socket.readableEnded || this.socket.destroyed) throw new Error(`closed before ${what}; received: ${this.received}`);
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close'), once(this.socket, 'end')]);
    }
    return this.received;
  }

  /** Everything until the other side ends. */
  async all(): Promise<string> {
    if (!this.socket.readableEnded && !this.socket.destroyed) await Promise.race([once(this.socket, 'end'), once(this.socket, 'close')]);
    this.socket.destroy();
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }
}
