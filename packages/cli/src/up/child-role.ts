import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, closeSync, renameSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FarmError, type Logger } from '@appshot/runtime';
import type { ChildPids } from './child-pids.js';
import { lastWords } from './last-words.js';

export interface ChildSpec {
  readonly name: string;
  readonly command: readonly string[];
  /** Added to this process's environment; secrets travel here, not in the command line. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard error goes to this file; standard output too, once the child is ready. */
  readonly logFile: string;
  /** Resolves when the child works. */
  readonly whenReady: (child: ReadyProbe) => Promise<void>;
}

export interface ReadyProbe {
  /** Lines of the child's standard output. */
  readonly firstLine: Promise<string>;
  readonly isRunning: () => boolean;
}

export interface ChildEvents {
  /** The child ended without being asked to. */
  readonly died: (name: string, how: string) => void;
  readonly restarted: (name: string) => void;
}

const readyWithinMs = 60_000;
const stableAfterMs = 10_000;
const pauses = [0, 250, 500, 1_000, 2_000, 5_000];
const logBytes = 16 * 1024 * 1024;

/** One child process that is kept running: started again when it dies, at once and then ever more slowly. */
export class ChildRole {
  readonly #spec: ChildSpec;
  readonly #parts: { readonly pids: ChildPids; readonly logger: Logger; readonly events: ChildEvents };
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #stopping = false;
  #deathsInARow = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(spec: ChildSpec, parts: { pids: ChildPids; logger: Logger; events: ChildEvents }) {
    this.#spec = spec;
    this.#parts = parts;
  }

  get name(): string {
    return this.#spec.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it is ready for the first time. @throws FarmError when it ends before, or is not ready in time. */
  async start(): Promise<void> {
    await this.#spawn();
  }

  /** SIGTERM, and SIGKILL when that was not enough in time. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === null) return;
    child.kill('SIGTERM');
    const force = setTimeout(() => {
      this.#parts.logger.error({ child: this.name, withinMs }, 'did not end in time; killing it');
      child.kill('SIGKILL');
    }, withinMs);
    await this.#exited;
    clearTimeout(force);
  }

  async #spawn(): Promise<void> {
    const startedAt = performance.now();
    const { child, firstLine } = this.#launch();
    this.#child = child;
    if (child.pid !== undefined) this.#parts.pids.add(this.name, child.pid);
    let ended: string | null = null;
    let ready = false;
    this.#exited = new Promise((resolve) => {
      const onEnd = (how: string): void => {
        if (ended !== null) return;
        ended = how;
        this.#child = null;
        this.#parts.pids.remove(this.name);
        resolve();
        if (ready && !this.#stopping) this.#onDeath(how, performance.now() - startedAt);
      };
      child.once('exit', (status, signal) => onEnd(signal === null ? `status ${status}` : signal));
      child.once('error', (error) => onEnd(error.message));
    });
    await this.#untilReady(firstLine, () => ended);
    ready = true;
    // It may have died between becoming ready and now.
    if (ended !== null && !this.#stopping) this.#onDeath(ended, performance.now() - startedAt);
  }

  #launch(): { child: ChildProcess; firstLine: Promise<string> } {
    const { command, env, logFile } = this.#spec;
    const log = openLog(logFile);
    // Sessions of their own: Ctrl-C on the terminal is for `up`, which ends them in order. And the kernel ends them when
    // `up` is killed and cannot.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...command], {
      env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', log], detached: true,
    });
    closeSync(log);
    const lines = createInterface({ input: child.stdout! });
    const firstLine = new Promise<string>((resolve) => { lines.once('line', resolve); });
    return { child, firstLine };
  }

  async #untilReady(firstLine: Promise<string>, ended: () => string | null): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => { timer = setTimeout(() => resolve('late'), readyWithinMs); });
    const ready = this.#spec.whenReady({ firstLine, isRunning: () => ended() === null });
    const outcome = await Promise.race([ready.then(() => 'ready' as const), this.#exited.then(() => 'ended' as const), late]);
    clearTimeout(timer);
    if (outcome === 'ready') return;
    const { logFile } = this.#spec;
    if (outcome === 'late') throw new FarmError('unavailable', `${this.name} was not ready within ${readyWithinMs} ms; see ${logFile}`);
    throw new FarmError('unavailable', `${this.name} ended at its start (${ended() ?? ''}): ${lastWords(logFile)} (${logFile})`);
  }

  #onDeath(how: string, livedMs: number): void {
    this.#deathsInARow = livedMs > stableAfterMs ? 0 : this.#deathsInARow;
    const pauseMs = pauses[Math.min(this.#deathsInARow, pauses.length - 1)] ?? 0;
    this.#deathsInARow += 1;
    this.#parts.events.died(this.name, how);
    this.#timer = setTimeout(() => void this.#restart(), pauseMs);
  }

  async #restart(): Promise<void> {
    const startedAt = performance.now();
    try {
      await this.#spawn();
      this.#parts.events.restarted(this.name);
    } catch (err) {
      if (this.#stopping) return;
      this.#child?.kill('SIGKILL');
      await this.#exited;
      if (!this.#stopping) this.#onDeath(FarmError.from(err).message, performance.now() - startedAt);
    }
  }
}

/** The last log is kept when it has grown large: one generation is enough to see why a role died. */
function openLog(file: string): number {
  try {
    if (statSync(file).size > logBytes) renameSync(file, `${file}.1`);
  } catch {
    // There is none yet.
  }
  return openSync(file, 'a', 0o600);
}
