import type { InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { advance } from '../ops/advance.js';
import { asked } from '../ops/asked.js';
import { bringUp, type BroughtUp } from '../ops/bring-up.js';
import { growApp } from '../ops/grow-app.js';
import { helpAlong } from '../ops/help-along.js';
import { makeTemplate } from '../ops/make-template.js';
import { retireInstance } from '../ops/retire-instance.js';
import { sleepInstance } from '../ops/sleep-instance.js';
import type { WakeDesk } from '../ops/wake-desk.js';
import { instancesOf, resolveTarget, type Outcomes } from './targets.js';

const because = asked;

/** Brings an app, or one instance, back and waits until it is ready. @throws FarmError why it cannot be */
export async function wakeTarget(farm: Farm, desk: WakeDesk, target: string): Promise<Outcomes> {
  const targeted = await resolveTarget(farm, target);
  if (targeted.kind === 'instance') return [await wakeInstance(farm, targeted.record)];
  const reply = await desk.wake(targeted.app, because);
  if (reply.kind === 'refused') throw new FarmError('unavailable', reply.because, { facts: { retryAfterS: reply.retryAfterS } });
  return [{ aid: reply.aid, phases: reply.phases }];
}

async function wakeInstance(farm: Farm, record: InstanceRecord): Promise<Outcomes[number]> {
  const askedAt = performance.now();
  const deadline = askedAt + farm.config.wakeWithinMs;
  for (let is: InstanceRecord | undefined = record; performance.now() < deadline; is = await farm.registry.instances.get(record.aid)) {
    if (is === undefined || is.state === 'failed' || is.state === 'stopping') throw new FarmError('illegal-transition', `${record.aid} is being stopped`);
    if (is.state === 'ready') return { aid: is.aid, phases: {} };
    if (is.state === 'draining') {
      await advance(farm, is, 'ready', { reason: because });
      continue;
    }
    if (is.state !== 'asleep' && is.state !== 'parked') {
      await helpAlong(farm, is, { because, askedAt, deadline });
      continue;
    }
    const claimed = await advance(farm, is, is.state === 'parked' ? 'unparking' : 'restoring', { reason: because });
    const brought = claimed.kind === 'done' ? await bringUp(farm, claimed.record, { because, askedAt }) : null;
    if (brought?.kind === 'up') return { aid: record.aid, phases: brought.phases };
    if (brought?.kind === 'failed') throw brought.error;
  }
  throw new FarmError('timeout', `${record.aid} is still starting`);
}

/** Puts an app's instances, or one, to sleep and waits for it. @throws FarmError `timeout` (in use), why it cannot be saved */
export async function sleepTarget(farm: Farm, target: string): Promise<Outcomes> {
  const instances = instancesOf(await resolveTarget(farm, target));
  return Promise.all(instances.filter((one) => one.state !== 'failed' && one.state !== 'stopping').map((record) => putToSleep(farm, record)));
}

/** A visitor may take it back meanwhile: then it is tried again, for somebody wants it asleep. */
async function putToSleep(farm: Farm, record: InstanceRecord): Promise<Outcomes[number]> {
  const deadline = performance.now() + farm.config.askedSleepDrainMs + 30_000;
  for (let is: InstanceRecord | undefined = record; is !== undefined && performance.now() < deadline; is = await farm.registry.instances.get(record.aid)) {
    if (is.state === 'asleep') return { aid: is.aid, phases: {} };
    // A clone that never served has nothing to keep.
    if (is.state === 'parked') {
      await retireInstance(farm, is, { because: asked, drainMs: 0, whenBusy: 'stop' });
      return { aid: is.aid, phases: {} };
    }
    if (is.state !== 'ready' && is.state !== 'draining' && is.state !== 'snapshotting') {
      await farm.view.waitForChange(is.app, 100);
      continue;
    }
    const slept = await sleepInstance(farm, is, { because: asked, drainMs: farm.config.askedSleepDrainMs });
    if (slept.kind === 'asleep') return { aid: slept.record.aid, phases: slept.phases };
    if (slept.kind === 'refused') throw slept.error;
    if (slept.kind === 'busy') throw new FarmError('timeout', `${is.aid} is in use: ${slept.inFlight} requests were still in flight after ${farm.config.askedSleepDrainMs} ms`);
  }
  throw new FarmError('illegal-transition', `${record.aid} could not be put to sleep: it was woken or stopped meanwhile`);
}

/** Ends an app's instances, or one, for good; the app stays deployed. */
export async function stopTarget(farm: Farm, target: string): Promise<Outcomes> {
  const instances = instancesOf(await resolveTarget(farm, target));
  return Promise.all(instances.map(async (record) => {
    const begunAt = performance.now();
    for (let is: InstanceRecord | undefined = record; is !== undefined; is = await farm.registry.instances.get(record.aid)) {
      const ended = await retireInstance(farm, is, { because, drainMs: farm.config.askedSleepDrainMs, whenBusy: 'stop', type: 'stopped' });
      if (ended.kind === 'retired') break;
    }
    return { aid: record.aid, phases: { stop: performance.now() - begunAt } };
  }));
}

/** Makes clones of an app's template, or instances without one, whatever the load is; `parked` ones stand frozen until they are wanted. @throws FarmError when one could not be made */
export async function cloneApp(farm: Farm, app: string, { count, parked }: { count: number; parked: boolean }): Promise<Outcomes> {
  const record = await farm.registry.apps.get(app);
  if (record === undefined) throw new FarmError('not-found', `there is no app "${app}"`);
  if (record.template === null) await templateApp(farm, app, { again: false });
  for (let tries = 0; tries < 50; tries++) {
    const grown = await growApp(farm, app, { because, count: (instances) => checkedCount(record.spec.scale.max, instances, count), onlyClones: true, parked });
    if (grown.kind === 'grown') return grown.outcomes.map(outcomeOf);
    await farm.view.waitForChange(app, 100);
  }
  throw new FarmError('unavailable', `${app} is being changed by another scheduler all the time; try again`);
}

function checkedCount(max: number, instances: readonly InstanceRecord[], count: number): number {
  const awake = instances.filter((one) => one.state !== 'failed' && one.state !== 'stopping' && one.state !== 'asleep').length;
  if (awake + count > max) throw new FarmError('bad-request', `${count} more would make ${awake + count} instances, and the app file allows ${max} (scale.max)`);
  return count;
}

function outcomeOf(brought: BroughtUp): Outcomes[number] {
  if (brought.kind === 'failed') throw brought.error;
  if (brought.kind === 'overtaken') throw new FarmError('illegal-transition', 'an instance was stopped while it was being made');
  return { aid: brought.record.aid, phases: brought.phases };
}

/** Makes the app's template from a running instance, now. @throws FarmError `illegal-transition` (none is running), why it cannot be saved */
export async function templateApp(farm: Farm, app: string, { again }: { again: boolean }): Promise<{ app: string; image: string }> {
  const record = await farm.registry.apps.get(app);
  if (record === undefined) throw new FarmError('not-found', `there is no app "${app}"`);
  const source = (await farm.registry.instances.ofApp(app)).find((one) => one.state === 'ready' && one.version === record.version);
  if (source === undefined) throw new FarmError('illegal-transition', `no instance of ${app} is ready to make a template of; wake it first`);
  const made = await makeTemplate(farm, record, source, { because, again });
  if (made.kind === 'failed') throw made.error;
  const image = made.kind === 'made' ? made.image : (await farm.registry.apps.get(app))?.template ?? null;
  if (image === null) throw new FarmError('illegal-transition', `${app} was changed while its template was being made; try again`);
  return { app, image };
}
