import type { AppRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { releasePortsAfter } from './farm-ports.js';
import { growApp } from './grow-app.js';
import { discard, type PreparedVersion } from './prepare-version.js';
import { retireInstance } from './retire-instance.js';

/** All requests go to the prepared version from now on; those who are being served by the old one are served to the end. */
export async function switchTo(farm: Farm, made: PreparedVersion): Promise<AppRecord> {
  const app = await farm.registry.apps.put(made.spec, farm.now(), made).catch(async (error: unknown) => {
    await discard(farm, made.record, 'its version could not be deployed');
    throw error;
  });
  await settle(farm, app);
  return app;
}

/** The prepared version is given its share of the requests, beside the current one, which is woken for the rest. */
export async function beginTrial(farm: Farm, current: AppRecord, made: PreparedVersion, percent: number): Promise<AppRecord> {
  const { spec, version, deployedAt, template } = made;
  const name = spec.name;
  try {
    await wakeCurrent(farm, current);
    await setTrial(farm, current, { spec, version, deployedAt, template, percent });
  } catch (error) {
    await discard(farm, made.record, 'its trial could not begin');
    throw error;
  }
  farm.events.ofApp(name, { type: 'shifted', because: 'a version is on trial', facts: { version, percent } });
  const app = await found(farm, name);
  await settle(farm, app);
  return app;
}

/**
 * Changes the share of the version on trial: at 100 it becomes the current version, at 0 it goes.
 * @throws FarmError `not-found` (no such app), `illegal-transition` (none is on trial)
 */
export async function shiftTraffic(farm: Farm, name: string, percent: number): Promise<AppRecord> {
  return releasePortsAfter(farm, name, () => shift(farm, name, percent));
}

async function shift(farm: Farm, name: string, percent: number): Promise<AppRecord> {
  const app = await found(farm, name);
  const { trial } = app;
  if (trial === null) throw new FarmError('illegal-transition', `no version of ${name} is on trial; deploy one with a share of the requests (--percent) first`);
  farm.events.ofApp(name, { type: 'shifted', because: 'somebody asked for it', facts: { version: trial.version, percent } });
  if (percent === 100) {
    const after = await farm.registry.apps.put(trial.spec, farm.now(), trial);
    await settle(farm, after);
    return after;
  }
  await setTrial(farm, app, percent === 0 ? null : { ...trial, percent });
  const after = await found(farm, name);
  await settle(farm, after);
  return after;
}

/** An app of the registry. @throws FarmError `not-found` */
export async function found(farm: Farm, name: string): Promise<AppRecord> {
  const app = await farm.registry.apps.get(name);
  if (app === undefined) throw new FarmError('not-found', `there is no app "${name}"`);
  return app;
}

async function setTrial(farm: Farm, app: AppRecord, trial: AppRecord['trial']): Promise<void> {
  if (await farm.registry.apps.setTrial(app.spec.name, app.version, trial)) return;
  throw new FarmError('illegal-transition', `${app.spec.name} was deployed or removed meanwhile; try again`);
}

/** A share of nothing would be all of it. */
async function wakeCurrent(farm: Farm, { spec, version }: AppRecord): Promise<void> {
  const instances = await farm.registry.instances.ofApp(spec.name);
  if (instances.some((one) => one.state === 'ready' && one.version === version)) return;
  await growApp(farm, spec.name, { because: 'a version is on trial beside it', count: () => 1 });
}

async function settle(farm: Farm, app: AppRecord): Promise<void> {
  await farm.view.refresh(app.spec.name);
  forgetFailures(farm, app.spec.name);
  // Not waited for: they finish what they have in flight. The next look at the app takes up what a crash leaves here.
  void retireOthers(farm, app).catch((err: unknown) => farm.logger.warn({ err, app: app.spec.name }, 'an old version could not be retired yet'));
}

/** Instances of versions that get no requests any more go, asleep or awake. */
async function retireOthers(farm: Farm, app: AppRecord): Promise<void> {
  const old = (await farm.registry.instances.ofApp(app.spec.name)).filter((one) => one.version !== app.version && one.version !== app.trial?.version);
  const because = (version: number): string => (version < app.version ? 'a newer version serves' : 'its trial is over');
  await Promise.all(old.map((record) => retireInstance(farm, record, { because: because(record.version), drainMs: farm.config.retireDrainMs, whenBusy: 'stop' })));
}

/** What was learnt of an app's failures says nothing of another version. */
export function forgetFailures(farm: Farm, app: string): void {
  const notes = farm.memory.of(app, farm.now());
  notes.startFailures = notes.sleepFailures = notes.templateFailures = 0;
  notes.startNotBefore = notes.sleepNotBefore = notes.templateNotBefore = 0;
}
