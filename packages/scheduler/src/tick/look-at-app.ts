import type { AppName, AppRecord, InstanceRecord, Millis } from '@appshot/protocol';
import type { Farm } from '../farm.js';
import type { JobDesk } from '../jobs/job-desk.js';
import { deployLease } from '../ops/deploy-app.js';
import { growApp } from '../ops/grow-app.js';
import { makeRoom } from '../ops/make-room.js';
import { isRested } from '../ops/make-template.js';
import { plannedBytes } from '../ops/place-instance.js';
import { decideIdle } from '../policy/decide-idle.js';
import { decideScale, type GrowBecause, type HoldBecause, type ScaleDecision } from '../policy/decide-scale.js';
import { decideShrink, rememberDesired } from '../policy/decide-shrink.js';
import { rememberGrowth } from '../policy/decide-tiers.js';
import type { LoadWindow } from '../policy/load-window.js';
import { asked } from '../ops/asked.js';
import { lookAtTrial } from './look-at-trial.js';
import { idleView, siteView, startingStates, wantsTemplate } from './site-views.js';

/** Looks at one app, asks the policies, and sets going what they answer. Nothing here waits for what it has set going. */
export function lookAtApp(farm: Farm, jobs: JobDesk, app: AppName, now: Millis): void {
  const { record, instances } = farm.view.of(app);
  if (record === null) return;
  const traffic = farm.traffic.of(app, now);
  // A thousand sleeping sites cost nothing: there is nothing to decide about one that nobody visits.
  if (record.spec.scale.min === 0 && traffic.inFlight === 0 && instances.every((one) => one.state === 'asleep')) return;
  const load = traffic.window(now);
  retireOtherVersions(farm, jobs, { record, instances, load, now });
  lookAtTrial(farm, jobs, { record, instances, now });
  scale(farm, jobs, { record, instances, load, now });
  shrink(farm, jobs, { record, instances, load, now });
  sleepWhenIdle(farm, jobs, { record, instances, load, now });
  templateWhenServed(farm, jobs, { record, instances, load, now });
}

interface Look {
  readonly record: AppRecord;
  readonly instances: readonly InstanceRecord[];
  readonly load: LoadWindow;
  readonly now: Millis;
}

const growBecause: Record<GrowBecause, string> = {
  'below-min': 'fewer instances are awake than the app file asks for',
  'requests-held': 'requests were waiting for an instance',
  'concurrency-above-target': 'more requests were in flight than the instances are planned for',
  'p95-above-target': 'the response time was above its target',
};

function scale(farm: Farm, jobs: JobDesk, look: Look): void {
  const { record, instances, load, now } = look;
  const name = record.spec.name;
  const notes = farm.memory.of(name, now);
  const decision = decideScale(siteView(farm, record, instances, now), load, now);
  notes.desired = rememberDesired(notes.desired, { at: now, desired: decision.desired });
  if (decision.kind === 'hold') return held(farm, jobs, look, decision.because);
  if (decision.kind !== 'grow' || now < notes.startNotBefore || farm.underway.has(`grow:${name}`)) return;
  inBackground(farm, name, farm.underway.join(`grow:${name}`, async () => {
    if (decision.because === 'below-min' && await farm.leases.isHeld(deployLease(name))) return;
    const grown = await growApp(farm, name, { because: growBecause[decision.because], count: (fresh) => stillWanted(farm, { ...look, instances: fresh }, decision) });
    // For its load, that is: what was only missing says nothing of bursts.
    if (grown.kind === 'grown' && decision.because !== 'below-min') notes.growth = rememberGrowth(notes.growth, { at: farm.now(), count: grown.outcomes.length });
  }));
}

/** The same question once more, on what the registry says now: another scheduler may have answered it meanwhile. */
function stillWanted(farm: Farm, { record, instances, load, now }: Look, decided: ScaleDecision): number {
  const again = decideScale(siteView(farm, record, instances, now), load, now);
  return again.kind === 'grow' && decided.kind === 'grow' ? Math.min(again.count, decided.count) : 0;
}

/** Wanted and not possible now: what stands in the way is set going. */
function held(farm: Farm, jobs: JobDesk, look: Look, because: HoldBecause): void {
  if (because === 'within-targets' || because === 'asleep') return;
  farm.meters.holds.inc({ type: because });
  if (because === 'template-missing') requestTemplate(farm, jobs, look, { because: 'more instances are needed' });
  if (because === 'no-room') makeRoomFor(farm, look.record);
}

function makeRoomFor(farm: Farm, record: AppRecord): void {
  const { name } = record.spec;
  const [fullest] = farm.nodes.alive(farm.now());
  if (fullest === undefined) return;
  inBackground(farm, name, farm.underway.join(`room:${name}`, async () => {
    await makeRoom(farm, { node: fullest.node, bytes: plannedBytes(farm, record.spec), for: record.spec });
  }));
}

/** How long a clone that somebody asked for is left alone, milliseconds: it was made to be looked at, before any traffic wants it. */
const askedForMs = 60_000;

function wasJustAskedFor(instance: InstanceRecord, now: Millis): boolean {
  return instance.reason === asked && now - instance.since < askedForMs;
}

function shrink(farm: Farm, jobs: JobDesk, { record, instances, load, now }: Look): void {
  const notes = farm.memory.of(record.spec.name, now);
  const traffic = farm.traffic.of(record.spec.name, now);
  const current = instances.filter((one) => one.state === 'ready' && one.version === record.version);
  if (current.length < 2) return;
  const starting = instances.filter((one) => startingStates.has(one.state)).length;
  const ready = current.filter((one) => !wasJustAskedFor(one, now)).map((one) => ({ aid: one.aid, inFlight: traffic.inFlightTo(one.aid) }));
  const decision = decideShrink({ scale: record.spec.scale, ready, starting, held: load.heldNow, observedSince: notes.observedSince }, notes.desired, now);
  if (decision.kind !== 'retire') return;
  for (const aid of decision.aids) jobs.retire({ app: record.spec.name, aid, because: 'more instances were awake than the load needs' });
}

function sleepWhenIdle(farm: Farm, jobs: JobDesk, { record, instances, now }: Look): void {
  const name = record.spec.name;
  // Both versions stay awake: a share of the requests can only be kept by somebody who is there.
  if (record.trial !== null) return;
  const decision = decideIdle(idleView(farm, record, instances, now), farm.traffic.of(name, now).idleHistory, now);
  const only = instances.find((one) => one.state === 'ready');
  if (decision.kind !== 'sleep' || only === undefined) return;
  jobs.sleep({ app: name, aid: only.aid, epoch: only.epoch, because: `nobody visits it (${decision.because})` });
}

function templateWhenServed(farm: Farm, jobs: JobDesk, look: Look): void {
  const { record, load, now } = look;
  // Between requests, where it can wait: a clone need not inherit half a conversation.
  if (load.inFlightNow > 0) return;
  if (wantsTemplate(farm, record, now)) return requestTemplate(farm, jobs, look, { because: record.spec.template.after === 'ready' ? 'it is ready' : 'it has answered its first request' });
  const { templateOfUnrested } = farm.memory.of(record.spec.name, now);
  if (record.template !== null && record.template === templateOfUnrested) requestTemplate(farm, jobs, look, { because: 'it has come to rest', renews: record.template });
}

/** @param renews the template that is made once more, of an instance that has come to rest */
function requestTemplate(farm: Farm, jobs: JobDesk, { record, instances, now }: Look, { because, renews = null }: { because: string; renews?: string | null }): void {
  const notes = farm.memory.of(record.spec.name, now);
  if (notes.templateImpossible === record.version || now < notes.templateNotBefore) return;
  const source = instances.find((one) => one.state === 'ready' && one.version === record.version && (renews === null || isRested(farm, one, now)));
  if (source !== undefined) jobs.template({ app: record.spec.name, aid: source.aid, because, renews }, record.version);
}

/** How long an instance of a version that was never put may stand before its deploy is taken for cut short, milliseconds. */
const unfinishedMs = 5_000;

/** A deploy that was cut short after its switch leaves old instances beside new ones; one cut short before it, a new one beside the old. */
function retireOtherVersions(farm: Farm, jobs: JobDesk, { record, instances, now }: Look): void {
  const isServed = instances.some((one) => one.state === 'ready' && one.version === record.version);
  for (const one of instances) {
    if (one.state !== 'ready' && one.state !== 'asleep' && one.state !== 'parked') continue;
    if (one.version === record.trial?.version) continue;
    if (one.version < record.version && isServed) jobs.retire({ app: one.app, aid: one.aid, because: 'a newer version serves' });
    if (one.version > record.version && now - one.since > unfinishedMs) inBackground(farm, one.app, retireUnfinished(farm, jobs, one));
  }
}

async function retireUnfinished(farm: Farm, jobs: JobDesk, instance: InstanceRecord): Promise<void> {
  if (await farm.leases.isHeld(deployLease(instance.app))) return;
  const app = await farm.registry.apps.get(instance.app);
  if (app !== undefined && instance.version > app.version && instance.version !== app.trial?.version) jobs.retire({ app: instance.app, aid: instance.aid, because: 'its deploy was cut short' });
}

function inBackground(farm: Farm, app: AppName, work: Promise<unknown>): void {
  work.catch((err: unknown) => farm.logger.warn({ err, app }, 'what was decided could not be done; it is looked at again'));
}
