import { agentCalls, type InstanceRecord, type Phases, type SnapshotDone } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { pauseAfter } from '../site-notes.js';
import { advance } from './advance.js';
import { giveUp } from './bring-up.js';
import { callAgent } from './call-agent.js';
import { drainInstance } from './drain-instance.js';
import { memoryOf } from './memory-of.js';

export type Slept =
  | { readonly kind: 'asleep'; readonly record: InstanceRecord; readonly phases: Phases }
  | { readonly kind: 'busy'; readonly inFlight: number }
  /** A visitor came, or somebody else has moved it on. */
  | { readonly kind: 'overtaken'; readonly record: InstanceRecord | null }
  /** It could not be saved and runs on. */
  | { readonly kind: 'refused'; readonly error: FarmError };

export interface SleepWish {
  readonly because: string;
  readonly drainMs: number;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/**
 * ready -> draining -> snapshotting -> asleep. Each step is a guarded transition: a visitor who arrives in between takes the
 * instance back (WakeDesk), and this ends as `overtaken`. Goes on from wherever a scheduler before has left it.
 */
export function sleepInstance(farm: Farm, record: InstanceRecord, wish: SleepWish): Promise<Slept> {
  return farm.underway.join(`sleep:${record.aid}`, async () => {
    const begunAt = performance.now();
    farm.memory.of(record.app, farm.now()).memoryBytes = memoryOf(farm, record);
    const drained = await drainForSleep(farm, record, wish);
    if (drained.kind !== 'snapshotting') return drained;
    const drainMs = performance.now() - begunAt;
    const saved = await finishSnapshot(farm, drained.record, { because: wish.because, drainMs, facts: wish.facts });
    if (saved.kind === 'asleep') farm.meters.operationSeconds.observe({ type: 'sleep' }, (performance.now() - begunAt) / 1000);
    return saved;
  });
}

async function drainForSleep(farm: Farm, record: InstanceRecord, wish: SleepWish): Promise<Exclude<Slept, { kind: 'asleep' }> | { kind: 'snapshotting'; record: InstanceRecord }> {
  if (record.state === 'snapshotting') return { kind: 'snapshotting', record };
  let draining = record;
  if (record.state !== 'draining') {
    const moved = await advance(farm, record, 'draining', { reason: wish.because });
    if (moved.kind === 'overtaken') return moved;
    draining = moved.record;
  }
  const drained = await drainInstance(farm, draining, wish.drainMs);
  if (drained.kind === 'busy') {
    const back = await advance(farm, draining, 'ready', { reason: 'it is in use' });
    return back.kind === 'overtaken' ? back : drained;
  }
  const moved = await advance(farm, draining, 'snapshotting', { reason: wish.because });
  return moved.kind === 'overtaken' ? moved : { kind: 'snapshotting', record: moved.record };
}

/** Saves what is snapshotting and lets it sleep; may be repeated by anybody, also after a scheduler's death. */
export async function finishSnapshot(farm: Farm, record: InstanceRecord, told: { because: string; drainMs?: number; facts?: Readonly<Record<string, unknown>> | undefined }): Promise<Slept> {
  const calledAt = performance.now();
  let done: SnapshotDone;
  try {
    done = await callAgent(farm, agentCalls(record.node).snapshot, { aid: record.aid, epoch: record.epoch, keepRunning: false });
  } catch (thrown) {
    return couldNotSave(farm, record, FarmError.from(thrown));
  }
  const answeredAt = performance.now();
  const moved = await advance(farm, record, 'asleep', { reason: told.because, patch: { image: done.image } });
  if (moved.kind === 'overtaken') return moved;
  const inAgent = Object.values(done.phases).reduce((sum, ms) => sum + ms, 0);
  const phases = { drain: told.drainMs ?? 0, ...done.phases, call: Math.max(0, answeredAt - calledAt - inAgent), record: performance.now() - answeredAt };
  farm.memory.of(record.app, farm.now()).sleepFailures = 0;
  farm.nodes.settled(record.aid);
  farm.meters.stoppedSeconds.observe(done.stoppedMs / 1000);
  farm.events.ofInstance(record, { type: 'slept', because: told.because, phases, facts: { ...told.facts, bytes: done.bytes, stoppedMs: done.stoppedMs } });
  return { kind: 'asleep', record: moved.record, phases };
}

async function couldNotSave(farm: Farm, record: InstanceRecord, error: FarmError): Promise<Slept> {
  if (error.facts?.['cancelled'] === true || error.code === 'stale-epoch') return { kind: 'overtaken', record: await farm.registry.instances.get(record.aid) ?? null };
  // Whether it still runs is not known: it stays snapshotting, and the next to look asks again.
  if (error.code === 'unavailable' || error.code === 'timeout') throw error;
  farm.meters.failures.inc({ type: 'sleep', code: error.code });
  if (error.code === 'not-found') {
    await giveUp(farm, record, new FarmError('not-found', `it ended while it was being saved: ${error.message}`), 'lost');
    return { kind: 'refused', error };
  }
  const notes = farm.memory.of(record.app, farm.now());
  notes.sleepFailures += 1;
  notes.sleepNotBefore = farm.now() + 10 * pauseAfter(notes.sleepFailures);
  const back = await advance(farm, record, 'ready', { reason: `could not be saved: ${error.message}` });
  if (back.kind === 'done') farm.events.ofInstance(record, { type: 'failed', because: `it could not be saved and runs on: ${error.message}`, facts: { code: error.code, ...error.facts } });
  return { kind: 'refused', error };
}
