import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { agentCalls, instanceEnded, nodeLoad, type AppSpec, type NodeLoad, type SnapshotDone, type Started } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import { FarmError, type Bus, type Subscription } from '@appshot/runtime';

const site = fileURLToPath(new URL('site.mjs', import.meta.url));
process.once('exit', () => { for (const child of children) child.kill('SIGKILL'); });
const children = new Set<ChildProcess>();

interface Process { readonly child: ChildProcess; readonly port: number }
interface Target { readonly aid: string; readonly epoch: number }
const keyOf = (verb: string, { aid, epoch }: Target): string => `${verb} ${aid} ${epoch}`;

/**
 * Plays the agent of one node: instances are real Node.js servers, images are files with what they had in memory. It keeps
 * the rules of the real one: an old epoch is refused, a call that comes twice is done once, a snapshot can be taken back.
 */
export class PlayedAgent {
  readonly node: string;
  /** A folder of its own, from its first start on. */
  images = '';
  /** Every call in order, as `verb AID`. */
  readonly calls: string[] = [];
  readonly running = new Map<string, Process>();
  readonly parked = new Set<string>();
  /** Resident templates by their apps. */
  readonly zygotes = new Map<string, string>();
  /** Makes snapshots take this long, so that a test can come in between, milliseconds. */
  snapshotMs = 0;
  startMs = 0;
  /** What the node says is left of its memory. */
  availableBytes = 6e9;
  instanceBytes = 40e6;
  /** What a launch, restore, clone or snapshot of an app fails with, once for each entry. */
  readonly failures: { verb: string; error: FarmError; times: number }[] = [];
  readonly #bus: Bus;
  readonly #registry: Registry;
  readonly #epochs = new Map<string, number>();
  readonly #joined = new Map<string, Promise<unknown>>();
  readonly #cancelled = new Map<string, number>();
  /** Snapshots that can be given up no more. */
  readonly #final = new Map<string, Promise<unknown>>();
  #templates = 0;
  #served: Subscription[] = [];
  #heart: NodeJS.Timeout | undefined;

  constructor(node: string, bus: Bus, registry: Registry) {
    this.node = node;
    this.#bus = bus;
    this.#registry = registry;
  }

  async start(): Promise<void> {
    this.images ||= await mkdtemp(path.join(tmpdir(), 'appshot-played-'));
    const calls = agentCalls(this.node);
    this.#served = await Promise.all([
      this.#bus.serve(calls.launch, (request) => this.#once('launch', request, () => this.#start(request, 0))),
      this.#bus.serve(calls.restore, (request) => this.#once('restore', request, async () => this.#start(request, await this.#read(request.aid)))),
      this.#bus.serve(calls.clone, (request) => this.#once('clone', request, async () => {
        const started = await this.#start(request, await this.#read(request.template));
        if (request.parked) this.#freeze(request.aid);
        return started;
      })),
      this.#bus.serve(calls.unpark, (request) => this.#once('unpark', request, async () => this.#thaw(request.aid))),
      this.#bus.serve(calls.warm, ({ app, image, resident }) => {
        this.calls.push(`${resident ? 'warm' : 'cool'} ${app}`);
        if (resident) this.zygotes.set(app, image);
        else this.zygotes.delete(app);
        return {};
      }),
      this.#bus.serve(calls.snapshot, async (request) => {
        try {
          return await this.#once('snapshot', request, () => this.#snapshot(request));
        } finally {
          // Each template is one of its own.
          if (request.keepRunning) this.#joined.delete(keyOf('snapshot', request));
        }
      }),
      this.#bus.serve(calls.cancelSnapshot, (request) => this.#cancel(request)),
      this.#bus.serve(calls.stop, (request) => this.#once('stop', request, () => this.#stop(request))),
      this.#bus.serve(calls.removeImage, async ({ image }) => {
        await rm(path.join(this.images, image), { force: true });
        await this.#registry.images.remove(image);
        return {};
      }),
      this.#bus.serve(calls.rids, ({ aid }) => ({ rids: [{ type: 'port', virtual: 3000, system: '127.0.0.1:1' }, { type: 'pid', virtual: 2, system: this.running.get(aid)?.child.pid ?? 0 }] })),
      this.#bus.serve(calls.inspect, ({ id }) => ({ id, processes: [{ vpid: 2, pid: this.running.get(id)?.child.pid ?? 0 }] })),
      this.#bus.serve(calls.list, async () => ({
        running: [...this.running].map(([aid, { port }]) => ({ aid, epoch: this.#epochs.get(aid) ?? 0, endpoint: { ip: '127.0.0.1', port }, parked: this.parked.has(aid) })),
        images: (await readdir(this.images)).map((id) => ({ id, bytes: 10 })),
      })),
      this.#bus.serve(calls.logs, ({ aid, after }) => {
        const text = `hello from ${aid}\n`.slice(after ?? 0);
        return { text, next: (after ?? 0) + text.length };
      }),
    ]);
    await this.#beat();
    this.#heart = setInterval(() => void this.#beat().catch(() => undefined), 200);
  }

  /** Answers nothing more; what runs goes on. */
  async die(): Promise<void> {
    clearInterval(this.#heart);
    await Promise.all(this.#served.map((one) => one.stop()));
  }

  async close(): Promise<void> {
    await this.die();
    for (const aid of [...this.running.keys()]) await this.#kill(aid);
    await rm(this.images, { recursive: true, force: true });
  }

  /** An instance ends by itself. */
  async crash(aid: string): Promise<void> {
    await this.#kill(aid);
    this.#bus.publish(instanceEnded, { node: this.node, aid, at: Date.now(), how: 'exit status 3' });
  }

  #freeze(aid: string): void {
    this.running.get(aid)?.child.kill('SIGSTOP');
    this.parked.add(aid);
  }

  #thaw(aid: string): Started {
    const process = this.running.get(aid);
    if (process === undefined) throw new FarmError('not-found', `no instance ${aid} runs here`);
    process.child.kill('SIGCONT');
    this.parked.delete(aid);
    return { aid, endpoint: { ip: '127.0.0.1', port: process.port }, pids: 1, phases: { thaw: 1 } };
  }

  /** Something runs that nobody knows of. */
  async runStray(aid: string): Promise<void> {
    this.running.set(aid, await this.#spawn(0));
  }

  async #once<T>(verb: string, { aid, epoch }: Target, work: () => Promise<T>): Promise<T> {
    if (epoch < (this.#epochs.get(aid) ?? 0)) throw new FarmError('stale-epoch', `${aid} is at a newer epoch`);
    const key = keyOf(verb, { aid, epoch });
    const known = this.#joined.get(key);
    if (known !== undefined) return known as Promise<T>;
    this.calls.push(`${verb} ${aid}`);
    this.#epochs.set(aid, epoch);
    const begun = (async () => {
      const failure = this.failures.find((one) => one.verb === verb && one.times-- > 0);
      if (failure !== undefined) throw failure.error;
      return work();
    })();
    this.#joined.set(key, begun);
    begun.catch(() => this.#joined.delete(key));
    return begun;
  }

  async #start({ aid, spec }: Target & { spec?: AppSpec }, visits: number): Promise<Started> {
    if (spec?.command[0] === 'missing') throw new FarmError('command-not-found', 'there is no command "missing"');
    const from = performance.now();
    if (this.startMs > 0) await delay(this.startMs);
    const process = this.running.get(aid) ?? await this.#spawn(visits);
    this.running.set(aid, process);
    return { aid, endpoint: { ip: '127.0.0.1', port: process.port }, pids: 1, phases: { spawn: performance.now() - from } };
  }

  async #spawn(visits: number): Promise<Process> {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, site], { env: { ...process.env, VISITS: String(visits) }, stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(child);
    child.once('exit', () => children.delete(child));
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    // A test that ended early does not wait for its sites.
    child.unref();
    (child.stdout as Socket).unref();
    return { child, port: Number(line) };
  }

  async #read(image: string): Promise<number> {
    const text = await readFile(path.join(this.images, image), 'utf8').catch(() => { throw new FarmError('not-found', `there is no image ${image}`); });
    const [magic, visits] = text.split(' ');
    if (magic !== 'image') throw new FarmError('image-invalid', `the image ${image} is damaged`);
    return Number(visits);
  }

  async #snapshot({ aid, epoch, keepRunning }: Target & { keepRunning: boolean }): Promise<SnapshotDone> {
    if (this.snapshotMs > 0) await delay(this.snapshotMs);
    if (!keepRunning && (this.#cancelled.get(aid) ?? -1) >= epoch) throw new FarmError('illegal-transition', 'given up', { facts: { cancelled: true } });
    const saving = this.#save({ aid, keepRunning });
    if (!keepRunning) this.#final.set(aid, saving.catch(() => undefined).then(() => this.#final.delete(aid)));
    return saving;
  }

  async #save({ aid, keepRunning }: { aid: string; keepRunning: boolean }): Promise<SnapshotDone> {
    const process = this.running.get(aid);
    const image = keepRunning ? `${aid}-t${this.#templates += 1}` : aid;
    if (process === undefined) {
      if (!(await readdir(this.images)).includes(image)) throw new FarmError('not-found', `${aid} does not run`);
      return { image, bytes: 10, stoppedMs: 0, phases: {} };
    }
    const visits = await (await fetch(`http://127.0.0.1:${process.port}/state`)).text();
    await writeFile(path.join(this.images, image), `image ${visits}`);
    if (!keepRunning) await this.#kill(aid);
    return { image, bytes: 10, stoppedMs: 1, phases: { save: 1 } };
  }

  async #cancel({ aid, epoch }: Target): Promise<{ kind: 'running' | 'slept' }> {
    this.calls.push(`cancelSnapshot ${aid}`);
    await this.#final.get(aid);
    if (!this.running.has(aid)) return { kind: 'slept' };
    this.#cancelled.set(aid, epoch);
    return { kind: 'running' };
  }

  async #stop({ aid, removeImage }: Target & { removeImage: boolean }): Promise<{ exited: boolean }> {
    await this.#kill(aid);
    if (removeImage) {
      await rm(path.join(this.images, aid), { force: true });
      await this.#registry.images.remove(aid);
    }
    return { exited: true };
  }

  async #kill(aid: string): Promise<void> {
    const process = this.running.get(aid);
    this.running.delete(aid);
    if (process === undefined || process.child.exitCode !== null) return;
    const gone = once(process.child, 'exit');
    process.child.kill('SIGKILL');
    await gone;
  }

  async #beat(): Promise<void> {
    const load: NodeLoad = {
      node: this.node, at: Date.now(), cpus: 2, cpuUsed: 0.1, memoryTotalBytes: 8e9, memoryAvailableBytes: this.availableBytes - this.running.size * this.instanceBytes,
      pressure: { cpu: 0, memory: 0, io: 0 }, slotsFree: 10,
      instances: [...this.running.keys()].map((aid) => ({ aid, epoch: this.#epochs.get(aid) ?? 0, pids: 1, memoryBytes: this.instanceBytes, cpuUsed: 0 })),
      zygotes: [...this.zygotes].map(([app, image]) => ({ app, image })),
    };
    this.#bus.publish(nodeLoad, load);
    await this.#registry.nodes.heartbeat(load);
  }
}
