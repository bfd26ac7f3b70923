import type { Aid, AppName, AppSpec, Epoch, InstanceRestored, SnapshotDone, Started } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import { FarmError, type Logger } from '@appshot/runtime';
import type { Engine, InstanceRow, Running } from '../engine/engine.js';
import type { AgentMetrics, OperationKind } from './agent-metrics.js';
import type { InstanceCards } from './instance-cards.js';
import { launchSpecOf } from './launch-spec-of.js';
import type { OperationBoard } from './operation-board.js';
import type { Residents } from './residents.js';
import type { UidBook } from './uid-book.js';
import type { Zygotes } from './zygotes.js';

export interface NodeOperationsParts {
  readonly node: string;
  readonly engine: Engine;
  readonly registry: Pick<Registry, 'images'>;
  readonly cards: InstanceCards;
  readonly board: OperationBoard;
  readonly residents: Residents;
  readonly uids: UidBook;
  readonly zygotes: Zygotes;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  /** Tells the gateways, whose visitors wait. */
  readonly tellRestored: (restored: InstanceRestored) => void;
}

interface Target { readonly aid: Aid; readonly epoch: Epoch }
interface StartTarget extends Target { readonly spec: AppSpec }
/** `port`: where it listens, inside. `decideMs`: what deciding took. */
interface WakeTarget extends Target { readonly app: AppName; readonly port: number; readonly decideMs: number }

/**
 * What schedulers ask of this node. Each operation checks the epoch before its effect, and may be sent twice: a copy joins
 * the one under way or gets its answer, also from an agent that was started meanwhile.
 */
export class NodeOperations {
  readonly #parts: NodeOperationsParts;
  /** The epoch whose snapshot was given up, of each AID: a copy of it that comes late does nothing. */
  readonly #cancelled = new Map<Aid, Epoch>();

  constructor(parts: NodeOperationsParts) {
    this.#parts = parts;
  }

  launch(request: StartTarget): Promise<Started> {
    const { engine, uids } = this.#parts;
    return this.#start('launch', named(request), () => engine.launch(launchSpecOf(request.spec, request.aid, uids.uidOf(request.spec.name))));
  }

  restore(request: WakeTarget): Promise<Started> {
    const heardAt = performance.now();
    return this.#start('restore', request, () => this.#telling('restore', request, { heardAt, work: () => this.#parts.engine.restore(request.aid) }));
  }

  clone(request: StartTarget & { readonly template: string; readonly parked: boolean }): Promise<Started> {
    return this.#start('clone', named(request), async () => {
      const [clone] = await this.#parts.engine.clone(request.template, [request.aid], { parked: request.parked });
      if (clone === undefined) throw new FarmError('internal', `the engine made no clone of ${request.template}`);
      this.#parts.zygotes.keep(request.spec.name, request.template);
      return clone;
    });
  }

  /** Does nothing for an app that does not run here: what sleeps uses no memory. */
  warm({ app, image, resident }: { app: string; image: string; resident: boolean }): void {
    const { residents, zygotes } = this.#parts;
    if (!resident) zygotes.release(app);
    else if (residents.hasApp(app)) zygotes.keep(app, image);
  }

  park({ aid, epoch }: Target): Promise<void> {
    const { board, cards, engine } = this.#parts;
    return board.run({ aid, verb: 'park', epoch }, async () => {
      cards.admit(aid, epoch);
      await engine.park(aid);
    });
  }

  unpark(request: WakeTarget): Promise<Started> {
    const { aid, epoch, app, port } = request;
    const { board, cards, engine, metrics } = this.#parts;
    const heardAt = performance.now();
    return board.run({ aid, verb: 'unpark', epoch }, async () => {
      cards.admit(aid, epoch, { app, port });
      const running = await metrics.time('unpark', () => this.#telling('unpark', request, { heardAt, work: () => engine.unpark(aid) }));
      return { aid, endpoint: { ip: running.ip, port }, pids: running.pids, phases: running.phases };
    });
  }

  snapshot({ aid, epoch, keepRunning }: Target & { readonly keepRunning: boolean }): Promise<SnapshotDone> {
    return keepRunning ? this.#template(aid, epoch) : this.#sleep(aid, epoch);
  }

  cancelSnapshot({ aid, epoch }: Target): Promise<{ kind: 'running' | 'slept' }> {
    const { board, cards, engine } = this.#parts;
    return board.run({ aid, verb: 'cancelSnapshot', epoch }, async () => {
      cards.admit(aid, epoch);
      const kind = await engine.cancelSnapshot(aid);
      if (kind === 'running') this.#cancelled.set(aid, epoch);
      return { kind };
    }, { urgent: true });
  }

  stop({ aid, epoch, removeImage }: Target & { readonly removeImage: boolean }): Promise<{ exited: boolean }> {
    const { board, cards, metrics, residents } = this.#parts;
    return board.run({ aid, verb: 'stop', epoch }, async () => {
      const isGone = typeof cards.get(aid)?.goneAt === 'number';
      if (!isGone) cards.admit(aid, epoch);
      const { exited } = await metrics.time('stop', () => residents.ending(aid, () => this.#endProcesses(aid)));
      await residents.ended(aid);
      if (removeImage) await this.removeImage(aid);
      cards.markGone(aid, Date.now());
      this.#cancelled.delete(aid);
      board.forget(aid);
      return { exited };
    }, { urgent: true });
  }

  async removeImage(image: string): Promise<void> {
    await ignoringNotFound(() => this.#parts.engine.removeImage(image));
    await this.#parts.registry.images.remove(image);
  }

  /** A template may be made again at the same epoch, of what the program has become since: each is an image of its own. */
  #template(aid: Aid, epoch: Epoch): Promise<SnapshotDone> {
    return this.#parts.board.run({ aid, verb: 'template', epoch }, async () => {
      const { cards, zygotes } = this.#parts;
      cards.admit(aid, epoch);
      const done = await this.#takeSnapshot(aid, `${aid}-t${Date.now().toString(36)}`, true);
      const app = cards.get(aid)?.app;
      if (app !== undefined) zygotes.keep(app, done.image);
      return done;
    }, { keepAnswer: false });
  }

  #sleep(aid: Aid, epoch: Epoch): Promise<SnapshotDone> {
    const { board, cards } = this.#parts;
    return board.run({ aid, verb: 'snapshot', epoch }, async () => {
      if ((this.#cancelled.get(aid) ?? -1) >= epoch) throw cancelledSnapshot(aid);
      const isRepeat = cards.epochOf(aid) === epoch;
      cards.admit(aid, epoch);
      return (isRepeat ? await this.#finishedSleep(aid) : null) ?? this.#takeSnapshot(aid, aid, false);
    });
  }

  /** What brings an instance back for visitors who may be waiting: the gateways are told before anything is counted or recorded. */
  async #telling(how: InstanceRestored['how'], { aid, epoch, app, port, decideMs }: WakeTarget, { heardAt, work }: { heardAt: number; work: () => Promise<Running> }): Promise<Running> {
    const running = await work();
    const { ip, phases } = running;
    const inEngine = Object.values(phases).reduce((sum, ms) => sum + ms, 0);
    const own = { decide: decideMs, ...phases, agent: Math.max(0, performance.now() - heardAt - inEngine) };
    this.#parts.tellRestored({ how, node: this.#parts.node, app, aid, epoch, endpoint: { ip, port }, phases: own });
    return running;
  }

  #start(how: OperationKind, { aid, epoch, app, port }: Omit<WakeTarget, 'decideMs'>, begin: () => Promise<Running>): Promise<Started> {
    const { board, cards, metrics, residents } = this.#parts;
    return board.run({ aid, verb: how, epoch }, async () => {
      const isRepeat = cards.epochOf(aid) === epoch;
      cards.admit(aid, epoch, { app, port });
      const row = isRepeat ? await this.#running(aid) : undefined;
      const running = row === undefined ? await metrics.time(how, begin) : { ...row, phases: {} };
      residents.started(aid, { ip: running.ip, app });
      return { aid, endpoint: { ip: running.ip, port }, pids: running.pids, phases: running.phases };
    });
  }

  async #takeSnapshot(aid: Aid, image: string, keepRunning: boolean): Promise<SnapshotDone> {
    const { engine, metrics, residents } = this.#parts;
    const take = () => metrics.time('snapshot', () => engine.snapshot(aid, { keepRunning, image, template: keepRunning }));
    const taken = await (keepRunning ? take() : residents.ending(aid, take));
    if (taken.cancelled) throw cancelledSnapshot(aid);
    if (!keepRunning) await residents.ended(aid, taken.keepsAddress);
    metrics.stoppedFor(taken.stoppedMs);
    await this.#registerImage(aid, taken.image, taken.bytes);
    return { image: taken.image, bytes: taken.bytes, stoppedMs: taken.stoppedMs, phases: taken.phases };
  }

  /** The image is safe whatever the registry says; one that could not be told is told by the next adoption. */
  async #registerImage(aid: Aid, id: string, bytes: number): Promise<void> {
    const app = this.#parts.cards.get(aid)?.app;
    if (app === undefined) return;
    try {
      await this.#parts.registry.images.put({ id, app, aid, node: this.#parts.node, bytes, createdAt: Date.now() });
    } catch (err) {
      this.#parts.logger.warn({ err, image: id }, 'an image could not be registered');
    }
  }

  /** What an agent before this one has done of the same operation: nothing runs, and there is the image. */
  async #finishedSleep(aid: Aid): Promise<SnapshotDone | null> {
    const { running, images } = await this.#parts.engine.list();
    const made = images.find(({ id }) => id === aid);
    if (made === undefined || running.some((row) => row.aid === aid)) return null;
    return { image: aid, bytes: made.bytes, stoppedMs: 0, phases: {} };
  }

  async #running(aid: Aid): Promise<InstanceRow | undefined> {
    return (await this.#parts.engine.list()).running.find((row) => row.aid === aid);
  }

  async #endProcesses(aid: Aid): Promise<{ exited: boolean }> {
    try {
      return await this.#parts.engine.stop(aid);
    } catch (error) {
      // It sleeps, or has ended by itself: nothing runs, which is what was wanted.
      if (FarmError.from(error).code === 'not-found') return { exited: true };
      throw error;
    }
  }
}

const named = ({ aid, epoch, spec }: StartTarget): Omit<WakeTarget, 'decideMs'> => ({ aid, epoch, app: spec.name, port: spec.port });

const cancelledSnapshot = (aid: Aid): FarmError =>
  new FarmError('illegal-transition', `the snapshot of ${aid} was given up: a visitor came`, { facts: { cancelled: true } });

async function ignoringNotFound(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (FarmError.from(error).code !== 'not-found') throw error;
  }
}
