import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { FarmError, proc } from '@appshot/runtime';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import type { Running } from '../../src/engine/engine.js';
import type { KeeperEngine } from '../../src/engine/keeper-engine.js';
import { openEngine } from '../../src/engine/open-engine.js';
import { awaitNothingLeft } from '../engine/support/leftovers.js';
import { anyRuns, differences, readTraces, type Traces } from './traces.js';

const run = promisify(execFile);
const sources = new URL('../../../../native/test/victims/', import.meta.url).pathname;
const port = 7000;

/** Victims whose subject it is; to the others io_uring and Linux AIO are not offered. */
const mayUseAsyncIo: ReadonlySet<string> = new Set(['async_io_allowed', 'async_io_ring', 'io_uring_ring']);

/** An engine of its own, and the victims, which are all one program. */
export class VictimFarm {
  #dir = '';
  #engine: KeeperEngine | undefined;

  /** Where its keeper is. */
  get engineDir(): string {
    return path.join(this.#dir, 'engine');
  }

  async start(): Promise<void> {
    this.#dir = await mkdtemp(path.join(tmpdir(), 'appshot-victims-'));
    await chmod(this.#dir, 0o755);
    await mkdir(this.#programs, { mode: 0o755 });
    const files = (await readdir(sources)).filter((name) => name.endsWith('.c')).map((name) => path.join(sources, name));
    await run('cc', ['-O1', '-g', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', path.join(this.#programs, 'victims'), ...files, '-lrt', '-lm']);
    this.#engine = await openEngine({ dir: this.engineDir });
  }

  async close(): Promise<void> {
    await this.#engine?.close();
    await awaitNothingLeft(this.engineDir);
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async names(): Promise<string[]> {
    const { stdout } = await run(path.join(this.#programs, 'victims'), []);
    const only = process.env['APPSHOT_VICTIMS']?.split(',');
    return stdout.trim().split('\n').filter((name) => only?.includes(name) ?? true).sort();
  }

  /**
   * Launches, asks, sleeps, wakes, asks; then once more; then two clones, both asked. Each time the kernel has to show of the
   * processes what it showed before: nothing of the restorer is left in them. @returns what went wrong, empty when all is well.
   */
  async sleepAndClone(name: string): Promise<string> {
    return this.with(name, async (engine, running) => {
      await expectOk('launched', running);
      let awake = running;
      for (const round of ['once', 'twice']) {
        const before = await settledTraces(engine, name);
        await engine.snapshot(name, { keepRunning: false });
        awake = await engine.restore(name);
        await expectSame(`woken ${round}`, before, () => engine.ps(name));
        await expectOk(`woken ${round}`, awake);
        // What a half-finished wake would still hide shows on the second question.
        await expectOk(`woken ${round}, asked again`, awake);
      }
      const before = await settledTraces(engine, name);
      await engine.snapshot(name, { keepRunning: true, image: `${name}-template` });
      await expectSame('after its template was taken', before, () => engine.ps(name));
      await expectOk('after its template was taken', awake);
      const clones = await engine.clone(`${name}-template`, [`${name}-1`, `${name}-2`]);
      for (const clone of clones) {
        await expectSame('cloned', before, () => engine.ps(clone.aid), { heap: false });
        await expectOk('cloned', clone);
      }
    });
  }

  /**
   * Launches, tries to put it to sleep, asks: a thread that was stopped for the attempt has run for a moment afterwards, which none may
   * where `undisturbed`. One that is busy with something else may run by itself; never each time it is tried.
   * @returns the message with which that was refused, or what went wrong.
   */
  async refusal(name: string, { undisturbed }: { undisturbed: boolean }): Promise<string> {
    return this.with(name, async (engine, running) => {
      await expectOk('launched', running);
      for (let triesLeft = undisturbed ? 5 : 1; triesLeft > 0; triesLeft -= 1) {
        await settledTraces(engine, name);
        const before = await settled(() => timesRun(engine, name), (was, is) => was === is ? '' : is);
        const error = await engine.snapshot(name, { keepRunning: false }).then(() => { throw new Error('it was saved'); }, (cause: unknown) => FarmError.from(cause));
        if (error.code !== 'unsupported-state') throw error;
        const after = await timesRun(engine, name);
        await expectOk('after the refusal', running);
        if (before === after || !undisturbed) throw error;
        if (triesLeft === 1) throw new Error(`it was stopped before it was refused: ${before}, then ${after}`, { cause: error });
      }
    });
  }

  /** The child of this farm's keeper that fills memory. */
  fillerPid(): Promise<number> {
    const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)$/m.exec(proc.text(pid, 'status'))?.[1] ?? -1);
    const isOurs = (pid: number): boolean => proc.name(pid) === 'appshot-filler' && proc.command(pid) !== '' && proc.command(parentOf(pid)).includes(this.#dir);
    return waitUntil(() => proc.pids().find(isOurs), { what: 'the keeper to have a filler' });
  }

  get #programs(): string {
    return path.join(this.#dir, 'programs');
  }

  /** Launches `name`, hands it over, and removes everything of it. @returns what went wrong, empty when all is well */
  async with(name: string, work: (engine: KeeperEngine, running: Running) => Promise<void>): Promise<string> {
    const engine = this.#engine;
    if (engine === undefined) return 'the farm has not started';
    try {
      await work(engine, await engine.launch({
        aid: name, command: [path.join(this.#programs, 'victims'), name, String(port)], cwd: this.#programs, env: {}, volumes: [], port, readyWithinMs: patienceMs,
        asyncIo: mayUseAsyncIo.has(name),
      }));
      return '';
    } catch (error) {
      return error instanceof Error ? `${error.message}${lastLines(error)}` : String(error);
    } finally {
      for (const aid of [`${name}-1`, `${name}-2`, name]) await engine.stop(aid).catch(() => undefined);
      for (const image of [`${name}-template`, name]) await engine.removeImage(image).catch(() => undefined);
    }
  }
}

const lastLines = (error: unknown): string => {
  const text = FarmError.from(error).facts?.['lastLines'];
  return typeof text === 'string' && text !== '' ? ` [${text.trim()}]` : '';
};

/** What `read` gives once it gives the same twice: the last answer may still be under way. */
async function settled<T>(read: () => Promise<T>, difference: (was: T, is: T) => string): Promise<T> {
  let last = await read(), differs = '';
  await waitUntil(async () => {
    const next = await read();
    differs = difference(last, next);
    last = next;
    return differs === '';
  }, { what: 'it to be quiet' }).catch((error: unknown) => { throw new Error(`it is never quiet: ${differs}`, { cause: error }); });
  return last;
}

/** Some victims have a thread that always runs: of those it is enough that nothing changes. */
const restsWithinMs = 5_000;

/** Nobody runs, or waits for a CPU to run: who does may be about to close what he has. */
function settledTraces(engine: KeeperEngine, name: string): Promise<Traces> {
  const restsUntil = performance.now() + restsWithinMs;
  return settled(async () => {
    const processes = await engine.ps(name);
    const runs = performance.now() < restsUntil && anyRuns(processes);
    return { runs, traces: readTraces(processes) };
  }, (was, is) => was.runs || is.runs ? 'it runs' : differences(was.traces, is.traces)).then(({ traces }) => traces);
}

/** How often each thread has begun to run. */
async function timesRun(engine: KeeperEngine, name: string): Promise<string> {
  const timesOf = (vpid: number, pid: number): string[] =>
    proc.entries(pid, 'task').sort().map((tid) => `${vpid}/${tid}: ${/switches:\s+(\d+)/.exec(proc.text(pid, `task/${tid}/status`))?.[1]}`);
  return (await engine.ps(name)).flatMap(({ vpid, pid }) => timesOf(vpid, pid)).join(', ');
}

/** A process may be in the middle of something for a moment. */
async function expectSame(when: string, before: Traces, list: () => Promise<{ vpid: number; pid: number }[]>, options = {}): Promise<void> {
  let found = '';
  await waitUntil(async () => (found = differences(before, readTraces(await list()), options)) === '', { what: 'it to be as it was' })
    .catch((error: unknown) => { throw new Error(`${when}, this differs: ${found}`, { cause: error }); });
}

export async function expectOk(when: string, { address }: Running): Promise<void> {
  const answer = await ask(address).catch((error: unknown) => `no answer: ${String(error)}`);
  if (answer !== 'ok') throw new Error(`${when}: ${answer}`);
}

export function ask(address: string): Promise<string> {
  const [host = '', number = ''] = address.split(':');
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(Number(number), host);
    socket.setTimeout(patienceMs, () => socket.destroy(new Error(`nothing within ${patienceMs} ms`)));
    socket.on('data', (chunk) => { text += chunk.toString(); });
    socket.on('error', reject);
    socket.on('close', () => resolve(text.trim() || 'the connection ended without an answer'));
  });
}
