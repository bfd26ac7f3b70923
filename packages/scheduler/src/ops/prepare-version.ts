import type { AppSpec, AppVersion, InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { beginClone, beginLaunch } from './begin-instance.js';
import { bringUp } from './bring-up.js';
import { exercise } from './exercise.js';
import { saveTemplate, unwarmed, warmUp } from './make-template.js';
import { retireInstance } from './retire-instance.js';

/** A version that nobody is sent to yet: its first instance is ready, and its template made where it can be. */
export interface PreparedVersion extends AppVersion {
  readonly record: InstanceRecord;
}

export interface PrepareWish {
  readonly because: string;
  /** What its first instance is cloned from; null: it is launched. */
  readonly from: string | null;
}

/**
 * Brings up the first instance of an app's next version beside the version that serves, warms it up and makes its template.
 * What it leaves when it fails is nothing.
 * @throws FarmError what the launch failed with, `timeout` (a warm-up path did not answer)
 */
export async function prepareVersion(farm: Farm, spec: AppSpec, wish: PrepareWish): Promise<PreparedVersion> {
  const askedAt = performance.now();
  const version = await farm.registry.apps.nextVersion(spec.name);
  const record = await becomeReady(farm, spec, await begin(farm, spec, { ...wish, version }), { because: wish.because, askedAt });
  try {
    // What it was cloned from is warm already, and is the template of the new version too.
    const template = record.image ?? await templateOf(farm, spec, record);
    return { spec, version, deployedAt: farm.now(), template, record };
  } catch (error) {
    await discard(farm, record, 'it could not be warmed up');
    throw error;
  }
}

/** Takes back what was prepared. */
export async function discard(farm: Farm, record: InstanceRecord, because: string): Promise<void> {
  await retireInstance(farm, record, { because, drainMs: 0, whenBusy: 'stop' });
}

async function begin(farm: Farm, spec: AppSpec, { version, from, because }: PrepareWish & { version: number }): Promise<InstanceRecord> {
  if (from === null) return beginLaunch(farm, spec, version, because);
  try {
    return await beginClone(farm, { spec, version }, from, { because, onlyFirst: false });
  } catch (thrown) {
    if (FarmError.from(thrown).code !== 'image-invalid') throw thrown;
    return beginLaunch(farm, spec, version, `${because}; launched anew, for its template is gone`);
  }
}

/** Waits until it is ready; a clone whose image has become unusable is launched instead. */
export async function becomeReady(farm: Farm, spec: AppSpec, record: InstanceRecord, { because, askedAt }: { because: string; askedAt: number }): Promise<InstanceRecord> {
  const brought = await bringUp(farm, record, { because, askedAt, spec });
  if (brought.kind === 'failed' && brought.how === 'clone' && brought.imageUnusable)
    return becomeReady(farm, spec, await beginLaunch(farm, spec, record.version, `${because}; launched anew, for its template cannot be used`), { because, askedAt });
  if (brought.kind === 'failed') throw brought.error;
  const ready = brought.kind === 'up' ? brought.record : await farm.registry.instances.get(record.aid);
  if (ready === undefined || ready.state === 'failed') throw new FarmError('internal', `${spec.name} was stopped while it was being deployed`);
  await farm.view.refresh(spec.name);
  farm.events.ofInstance(record, { type: 'deployed', because, phases: { ready: performance.now() - askedAt }, facts: { version: record.version } });
  return ready;
}

/**
 * Made before anybody is sent to it, where the app file says how it is warmed up, or wants it made at once, or the readiness
 * path has been its first request; otherwise after its first visitor, as with a first deploy.
 */
async function templateOf(farm: Farm, spec: AppSpec, record: InstanceRecord): Promise<string | null> {
  const { after, warmup } = spec.template;
  if (after !== 'ready' && warmup.length === 0 && spec.ready.http === undefined) return null;
  await warmUp(spec, record);
  await exercise(farm, spec, record);
  try {
    return await saveTemplate(farm, unwarmed(spec), record, 'before its version is switched to');
  } catch (thrown) {
    const error = FarmError.from(thrown);
    // It serves all the same; the look at the app tries again, or notes that it cannot be.
    farm.events.ofInstance(record, { type: 'failed', because: `no template could be made: ${error.message}`, facts: { code: error.code, ...error.facts } });
    return null;
  }
}
