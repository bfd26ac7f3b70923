import { Agent } from 'node:http';
import type { Farm } from './farm.js';

/** Visitors one after the other on so many connections, until told to stop; statuses other than 200 are kept. */
export class Load {
  answered = 0;
  readonly failed: string[] = [];
  #isOn = true;
  readonly #visitors: Promise<void>[];

  constructor(farm: Farm, { host, path, connections, onAnswer }: { host: string; path: string; connections: number; onAnswer?: (body: string) => void }) {
    const agent = new Agent({ keepAlive: true });
    this.#visitors = Array.from({ length: connections }, async () => {
      while (this.#isOn) {
        await farm.visit(host, path, { agent }).then(({ status, body }) => {
          if (status !== 200) return void this.failed.push(`${status} ${body}`);
          this.answered += 1;
          onAnswer?.(body);
        }, (error: Error) => this.failed.push(error.message));
      }
    });
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#visitors);
  }
}
