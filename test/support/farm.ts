import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FarmEvent } from '@appshot/protocol';
import { freePort, patienceMs, waitUntil } from '@appshot/runtime/testing';
// @ts-expect-error: a script of the setup, in plain JavaScript.
import { cleanEnginesBelow } from '../../scripts/lib/engine-leftovers.mjs';
import { type Ended, programs, run } from './run-command.js';
import { type Reply, visit, type VisitOptions } from './visit.js';

export interface InstanceRow {
  readonly aid: string;
  readonly app: string;
  readonly state: string;
  readonly ip: string | null;
  readonly port: number | null;
  readonly pids: number;
  readonly memoryBytes: number;
  readonly since: number;
  readonly reason: string;
}

export type Role = 'agent' | 'scheduler' | 'gateway';

/** Longer than each of its roles has to end. */
const endWithinMs = 3 * patienceMs;

/** `appshot up` as a process of its own, in a folder of its own, on free ports. */
export class Farm {
  readonly dir = realpathSync(mkdtempSync(path.join(tmpdir(), 'appshot-farm-')));
  /** Everything that `up` has printed. */
  said = '';
  http = 0;
  api = '';
  #child: ChildProcess | null = null;

  /** Where the native core keeps everything; its marks in the kernel are named after it. */
  get engineDir(): string {
    return path.join(this.dir, 'engine');
  }

  /** Resolves when the farm says that it is ready. */
  async up(...more: readonly string[]): Promise<void> {
    const [http, api] = [await freePort(), await freePort()];
    Object.assign(this, { said: '', http, api: `http://127.0.0.1:${api}` });
    // Not in the midst of what a test looks at: packages/scheduler/test shows that programs are exercised and templates made once more.
    const rest = ['--set', 'scheduler.templateRestMs=3600000', '--set', 'scheduler.exerciseRequests=0'];
    const command = [process.execPath, programs.appshot, 'up', '--dir', this.dir, '--http', `127.0.0.1:${http}`, '--api', `127.0.0.1:${api}`, ...rest, ...more];
    // A test process that is killed takes its farm with it: told by the kernel, it ends as after Ctrl-C.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { this.said += chunk.toString(); });
    await waitUntil(() => this.said.split('\n').includes('ready') || !this.#runs, { withinMs: 2 * patienceMs, what: 'the farm to be ready' });
    if (!this.#runs) throw new Error(`the farm did not come up: ${this.said}`);
  }

  /** Ends it, by default as Ctrl-C does. @returns its exit status, null when the signal ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === null || !this.#runs) return child?.exitCode ?? null;
    const ended = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), endWithinMs);
    const [status] = await ended;
    clearTimeout(timer);
    return status;
  }

  /** For after a test, however it went: nothing of the farm is left. */
  async destroy(): Promise<void> {
    if (this.#runs) {
      const apps = await this.ask<{ spec: { name: string } }[]>('/apps').catch(() => []);
      await Promise.allSettled(apps.map(({ spec }) => fetch(`${this.api}/apps/${spec.name}`, { method: 'DELETE', signal: AbortSignal.timeout(patienceMs) })));
      await this.end();
    }
    await cleanEnginesBelow(this.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** One command line of `appshot`, to this farm. */
  appshot(...args: readonly string[]): Promise<Ended> {
    return run(process.execPath, [programs.appshot, ...args], { APPSHOT_API: this.api });
  }

  /** A command that has to succeed, and print JSON. */
  async appshotJson<T>(...args: readonly string[]): Promise<T> {
    const { status, stdout, stderr } = await this.appshot(...args, '--json');
    if (status !== 0) throw new Error(`appshot ${args.join(' ')}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  async deploy(file: string): Promise<void> {
    await this.appshotJson('deploy', file);
  }

  visit(host: string, pathAndQuery = '/', options: VisitOptions = {}): Promise<Reply> {
    return visit({ port: this.http, host, path: pathAndQuery }, options);
  }

  /** What GET of the control API answers. */
  async ask<T>(pathAndQuery: string): Promise<T> {
    const response = await fetch(`${this.api}${pathAndQuery}`, { signal: AbortSignal.timeout(patienceMs) });
    if (!response.ok) throw new Error(`${pathAndQuery}: ${response.status} ${await response.text()}`);
    return await response.json() as T;
  }

  /** A wake is recorded a moment after its visitor's answer (ADR 0170): that moment is waited for. */
  async instancesOf(app: string): Promise<InstanceRow[]> {
    return waitUntil(async () => {
      const rows = (await this.ask<InstanceRow[]>('/instances')).filter((row) => row.app === app);
      return rows.every(({ state }) => state !== 'restoring') && rows;
    }, { what: `no instance of ${app} to be in the middle of a wake` });
  }

  /** The app's only instance. */
  async instanceOf(app: string): Promise<InstanceRow> {
    const [row, ...others] = await this.instancesOf(app);
    if (row === undefined || others.length > 0) throw new Error(`${app} has ${others.length + (row === undefined ? 0 : 1)} instances`);
    return row;
  }

  /** Waits until all of the app's instances are in this state. */
  async untilAll(app: string, state: string): Promise<InstanceRow[]> {
    return waitUntil(async () => {
      const rows = await this.instancesOf(app);
      return rows.length > 0 && rows.every((row) => row.state === state) && rows;
    }, { everyMs: 50, what: `${app} to be ${state}` }).catch(async (error: Error) => { throw new Error(`${error.message}; ${await this.story(app)}`, { cause: error }); });
  }

  async eventsOf(app: string, type?: FarmEvent['type']): Promise<FarmEvent[]> {
    const text = await (await fetch(`${this.api}/events`, { signal: AbortSignal.timeout(patienceMs) })).text();
    const events = text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as FarmEvent);
    return events.filter((event) => event.app === app && (type === undefined || event.type === type));
  }

  /** What became of the app lately, for messages of tests that failed. */
  async story(app: string): Promise<string> {
    const [rows, events] = await Promise.all([this.instancesOf(app), this.eventsOf(app)]);
    const told = events.slice(-6).map(({ type, because }) => `${type} (${because})`);
    return `its instances: ${rows.map(({ aid, state, reason }) => `${aid} ${state} (${reason})`).join(', ') || 'none'}; its last events: ${told.join(', ')}`;
  }

  /** Pid of one of the farm's children. */
  pidOf(child: Role | 'redis' | 'nats'): number {
    return (JSON.parse(readFileSync(path.join(this.dir, 'run', `${child}.pid`), 'utf8')) as { pid: number }).pid;
  }

  get #runs(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }
}
