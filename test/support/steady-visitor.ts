import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { patienceMs } from '@appshot/runtime/testing';

/** Asks an instance directly, past the gateway, again and again on one connection; keeps what went wrong. */
export class SteadyVisitor {
  readonly failures: string[] = [];
  answered = 0;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;
  #isOn = true;
  #done: Promise<void> = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#done;
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      await this.#askOnce().then(() => { this.answered += 1; }, (error: Error) => { this.failures.push(error.message); });
      await delay(10);
    }
  }

  #askOnce(): Promise<void> {
    return new Promise((resolve, reject) => {
      http.get(this.#url, { agent: this.#agent, timeout: patienceMs }, (response) => {
        response.resume();
        response.once('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`))));
        response.once('error', reject);
      }).once('error', reject).once('timeout', function onTimeout() { this.destroy(new Error('no answer in time')); });
    });
  }
}
