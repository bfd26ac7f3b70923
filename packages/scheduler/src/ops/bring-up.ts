import { agentCalls, type AppSpec, type FarmEvent, type InstanceRecord, type NodeWoke, type Phases, type Started } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { pauseAfter, withWake } from '../site-notes.js';
import { advance } from './advance.js';
import { callAgent } from './call-agent.js';
import { exercise } from './exercise.js';
import { finishStop } from './retire-instance.js';
import { specOf } from './version-of.js';

export type How = 'restore' | 'launch' | 'clone' | 'unpark';

export type BroughtUp =
  | { readonly kind: 'up'; readonly record: InstanceRecord; readonly how: How; readonly phases: Phases }
  | { readonly kind: 'overtaken' }
  /** `imageUnusable`: what it was to be made from is broken or fits no longer, and another way has to be taken. */
  | { readonly kind: 'failed'; readonly error: FarmError; readonly how: How; readonly imageUnusable: boolean };

const hows: Partial<Record<InstanceRecord['state'], How>> = { restoring: 'restore', launching: 'launch', cloning: 'clone', unparking: 'unpark' };
const eventTypes = { restore: 'woken', launch: 'launched', clone: 'cloned', unpark: 'unparked' } as const;

export interface BringUpWish {
  readonly because: string;
  /** When it was asked for, on performance.now()'s clock. */
  readonly askedAt?: number;
  /** The app's specification, when the registry does not have it yet. */
  readonly spec?: AppSpec;
  /** Leave a clone frozen, for somebody to unpark it. */
  readonly parked?: boolean;
}

/**
 * Ends a transition that somebody has begun: an instance that is restoring, launching or cloning becomes ready. Whoever
 * finds such an instance may call this; agents answer the same call twice and the registry lets one of the callers win.
 */
export function bringUp(farm: Farm, record: InstanceRecord, wish: BringUpWish): Promise<BroughtUp> {
  return farm.underway.join(`up:${record.aid}:${record.epoch}`, async () => {
    const how = hows[record.state];
    if (how === undefined) return { kind: 'overtaken' };
    const calledAt = performance.now();
    const decide = calledAt - (wish.askedAt ?? calledAt);
    try {
      const started = await callToStart(farm, record, { ...wish, decideMs: decide });
      const brought = await becameReady(farm, record, { started, how, because: wish.because, decide, calledAt, parked: wish.parked === true });
      // Not waited for: it serves already.
      if (brought.kind === 'up' && how === 'launch') void exercise(farm, wish.spec ?? (await specOf(farm, record)), brought.record);
      return brought;
    } catch (thrown) {
      return await couldNotStart(farm, record, { how, error: FarmError.from(thrown) });
    }
  });
}

async function callToStart(farm: Farm, record: InstanceRecord, { spec: given, parked = false, decideMs }: BringUpWish & { decideMs: number }): Promise<Started> {
  const spec = given ?? (await specOf(farm, record));
  const target = { aid: record.aid, epoch: record.epoch, spec };
  const calls = agentCalls(record.node);
  if (record.state === 'restoring') return callAgent(farm, calls.restore, wakeTarget(record, spec, decideMs));
  if (record.state === 'unparking') return callAgent(farm, calls.unpark, wakeTarget(record, spec, decideMs));
  if (record.state === 'launching') return callAgent(farm, calls.launch, target, spec.ready.withinMs + 15_000);
  if (record.image === undefined) throw new FarmError('internal', `${record.aid} is cloning and has no template`);
  return callAgent(farm, calls.clone, { ...target, template: record.image, parked });
}

interface WakeTarget { readonly aid: string; readonly epoch: number; readonly app: string; readonly port: number; readonly decideMs: number }

const wakeTarget = ({ aid, epoch }: InstanceRecord, { name, port }: AppSpec, decideMs = 0): WakeTarget => ({ aid, epoch, app: name, port, decideMs });

/** Lets an instance that is said to be ready really run. */
export async function unpark(farm: Farm, record: InstanceRecord): Promise<void> {
  await callAgent(farm, agentCalls(record.node).unpark, wakeTarget(record, await specOf(farm, record)));
}

async function becameReady(farm: Farm, record: InstanceRecord, up: { started: Started; how: How; because: string; decide: number; calledAt: number; parked: boolean }): Promise<BroughtUp> {
  const answeredAt = performance.now();
  const { started, how } = up;
  const moved = await advance(farm, record, up.parked ? 'parked' : 'ready', { reason: up.because, patch: { endpoint: started.endpoint, pids: started.pids } });
  if (moved.kind === 'overtaken') return { kind: 'overtaken' };
  const inAgent = Object.values(started.phases).reduce((sum, ms) => sum + ms, 0);
  const phases: Phases = { decide: up.decide, ...started.phases, call: Math.max(0, answeredAt - up.calledAt - inAgent), record: performance.now() - answeredAt };
  noteCameUp(farm, record, { how, phases, type: up.parked ? 'parked' : eventTypes[how], because: up.because });
  return { kind: 'up', record: moved.record, how, phases };
}

type CameUp = Pick<InstanceRecord, 'app' | 'aid' | 'node'>;

function noteCameUp(farm: Farm, one: CameUp, { how, phases, type, because }: { how: How; phases: Phases; type: FarmEvent['type']; because: string }): void {
  const notes = farm.memory.of(one.app, farm.now());
  notes.startFailures = 0;
  notes.startError = null;
  if (how === 'restore') notes.wakeMs = withWake(notes.wakeMs, Object.values(phases).reduce((sum, ms) => sum + ms, 0));
  farm.meters.cameUp(how, phases);
  farm.events.ofInstance(one, { type, because, phases });
}

/** What a node has decided and recorded by itself is history here, and counts like any other wake. */
export function noteNodeWoke(farm: Farm, { phases, because, ...one }: NodeWoke): void {
  if (farm.view.of(one.app).record !== null) farm.meters.wakes.inc({ app: one.app, how: 'restore' });
  noteCameUp(farm, one, { how: 'restore', phases, type: eventTypes.restore, because });
}

async function couldNotStart(farm: Farm, record: InstanceRecord, { how, error }: { how: How; error: FarmError }): Promise<BroughtUp> {
  farm.meters.failures.inc({ type: how, code: error.code });
  farm.logger.warn({ err: error, aid: record.aid, app: record.app, how }, 'an instance could not be brought up');
  // Whether it runs now is not known. It stays as it is, and whoever looks next repeats the call at the same epoch.
  if (error.code === 'unavailable' || (error.code === 'timeout' && how === 'restore')) return { kind: 'failed', error, how, imageUnusable: false };
  const imageUnusable = (how === 'clone' || how === 'restore') && ['image-invalid', 'environment-mismatch', 'not-found'].includes(error.code);
  if (how === 'restore' && !imageUnusable) await advance(farm, record, 'asleep', { reason: `could not be restored: ${error.message}` });
  else await giveUp(farm, record, error);
  if (!imageUnusable) {
    const notes = farm.memory.of(record.app, farm.now());
    notes.startFailures += 1;
    notes.startNotBefore = farm.now() + pauseAfter(notes.startFailures);
    notes.startError = error.message;
  }
  return { kind: 'failed', error, how, imageUnusable };
}

/** The instance will never run: said, cleaned up after on its node, and forgotten. */
export async function giveUp(farm: Farm, record: InstanceRecord, error: FarmError, type: 'failed' | 'lost' = 'failed'): Promise<void> {
  const failed = await advance(farm, record, 'failed', { reason: error.message });
  if (failed.kind === 'overtaken') return;
  farm.events.ofInstance(record, { type, because: error.message, facts: { code: error.code, state: record.state, ...error.facts } });
  // Not waited for: whoever asked goes another way meanwhile, and the next reconciling takes up what is left.
  void finishStop(farm, failed.record).catch((err: unknown) => farm.logger.warn({ err, aid: record.aid }, 'a failed instance could not be cleaned up yet'));
}
