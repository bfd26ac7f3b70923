import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { waitUntil } from './patience.js';

export interface TestServerParts {
  url: string;
  port: number;
  /** Its data; removed by `stop`. */
  dir: string;
  command: readonly string[];
  /** Whether it answers. */
  answers: () => Promise<boolean>;
}

/** A real server of a test's own, on a port and with data of its own. The kernel kills it when the test's process ends. */
export class TestServer {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly #parts: TestServerParts;
  #child: ChildProcess | undefined;
  #printed = '';

  constructor(parts: TestServerParts) {
    this.url = parts.url;
    this.port = parts.port;
    this.dir = parts.dir;
    this.#parts = parts;
  }

  /** Undefined while it is not running. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What it has printed since it was started last. */
  get printed(): string {
    return this.#printed;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    this.#printed = '';
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...this.#parts.command], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (this.#printed += chunk.toString()));
    child.once('error', (error) => (this.#printed += error.message));
    await waitUntil(async () => child.exitCode !== null || (await this.#parts.answers()), { what: `${this.#parts.command[0]} on port ${this.port}` });
    if (child.exitCode !== null) throw new Error(`${this.#parts.command.join(' ')} ended with ${child.exitCode}: ${this.#printed}`);
  }

  /** Stops the clock for it: connections stay, nothing answers. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** kill -9; what it had not written is lost. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** kill -9 if it runs, then the same port and the same data again. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}
