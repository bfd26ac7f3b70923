import { isDeepStrictEqual } from 'node:util';
import type { AppRecord, AppSpec, InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { beginInstance, beginLaunch } from './begin-instance.js';
import { bringUp } from './bring-up.js';
import { retireInstance } from './retire-instance.js';

/** Milliseconds that a deploy waits for another one of the same app. */
const waitForOtherMs = 60_000;

/** Name of the lease under which an app is deployed or removed. */
export const deployLease = (app: string): string => `deploy:${app}`;

/**
 * Deploys an app and waits until its first instance is ready. An app that is deployed already gets a new version beside the
 * old, and the old one goes when the new one serves; a version that does not become ready changes nothing.
 * `keepSame`: an app that is deployed just so already, and has an instance, is left alone.
 * @throws FarmError `host-taken`, what the launch failed with, `unavailable` (another deploy of it takes too long)
 */
export async function deployApp(farm: Farm, spec: AppSpec, { keepSame }: { keepSame: boolean }): Promise<AppRecord> {
  const held = await farm.leases.holdLong(deployLease(spec.name), async () => {
    const before = await farm.registry.apps.get(spec.name);
    const instances = await farm.registry.instances.ofApp(spec.name);
    const serves = instances.some((one) => one.version === before?.version && one.state !== 'failed' && one.state !== 'stopping');
    if (before === undefined) return deployFirst(farm, spec);
    if (keepSame && serves && isDeepStrictEqual(before.spec, spec)) return before;
    return deployNext(farm, before, spec);
  }, waitForOtherMs);
  if (held.kind === 'taken') throw new FarmError('unavailable', `${spec.name} is being deployed or removed by somebody else; try again`);
  return held.value;
}

async function deployFirst(farm: Farm, spec: AppSpec): Promise<AppRecord> {
  const askedAt = performance.now();
  const app = await farm.registry.apps.put(spec, farm.now());
  forgetFailures(farm, spec.name);
  try {
    await becomeReady(farm, spec, { begin: () => firstInstance(farm, app), version: app.version, askedAt });
  } catch (error) {
    await farm.registry.apps.remove(spec.name);
    throw error;
  }
  return app;
}

/** A visitor may have been quicker than the deploy: then its launch is the first. */
async function firstInstance(farm: Farm, app: AppRecord): Promise<InstanceRecord> {
  try {
    return await beginInstance(farm, app, 'command', { because: 'deployed', onlyFirst: true });
  } catch (thrown) {
    const error = FarmError.from(thrown);
    const aid = error.facts?.['aid'];
    const other = typeof aid === 'string' ? await farm.registry.instances.get(aid) : undefined;
    if (error.code !== 'illegal-transition' || other === undefined) throw error;
    return other;
  }
}

async function deployNext(farm: Farm, before: AppRecord, spec: AppSpec): Promise<AppRecord> {
  const askedAt = performance.now();
  await refuseTakenHosts(farm, spec);
  const version = before.version + 1;
  const record = await becomeReady(farm, spec, { begin: () => beginLaunch(farm, spec, version, 'deployed anew'), version, askedAt });
  const app = await farm.registry.apps.put(spec, farm.now()).catch(async (error: unknown) => {
    await retireInstance(farm, record, { because: 'its version could not be deployed', drainMs: 0, whenBusy: 'stop' });
    throw error;
  });
  forgetFailures(farm, spec.name);
  // Not waited for: they finish what they have in flight. The next look at the app takes up what a crash leaves here.
  void retireOthers(farm, app).catch((err: unknown) => farm.logger.warn({ err, app: spec.name }, 'an old version could not be retired yet'));
  return app;
}

async function becomeReady(farm: Farm, spec: AppSpec, launch: { begin: () => Promise<InstanceRecord>; version: number; askedAt: number }): Promise<InstanceRecord> {
  const record = await launch.begin();
  const brought = await bringUp(farm, record, { because: record.reason, askedAt: launch.askedAt, spec });
  if (brought.kind === 'failed') throw brought.error;
  const ready = brought.kind === 'up' ? brought.record : await farm.registry.instances.get(record.aid);
  if (ready === undefined || ready.state === 'failed') throw new FarmError('internal', `${spec.name} was stopped while it was being deployed`);
  await farm.view.refresh(spec.name);
  farm.events.ofInstance(record, { type: 'deployed', because: record.reason, phases: { ready: performance.now() - launch.askedAt }, facts: { version: launch.version } });
  return ready;
}

/** Instances of other versions go, asleep or awake. */
export async function retireOthers(farm: Farm, app: AppRecord): Promise<void> {
  const old = (await farm.registry.instances.ofApp(app.spec.name)).filter((one) => one.version !== app.version);
  await Promise.all(old.map((record) => retireInstance(farm, record, { because: 'a newer version serves', drainMs: farm.config.retireDrainMs, whenBusy: 'stop' })));
}

/** The same check as when the app is put, before its new version is started for nothing. */
async function refuseTakenHosts(farm: Farm, spec: AppSpec): Promise<void> {
  const others = (await farm.registry.apps.list()).filter((app) => app.spec.name !== spec.name);
  for (const host of spec.hosts) {
    const owner = others.find((app) => app.spec.hosts.includes(host))?.spec.name;
    if (owner !== undefined) throw new FarmError('host-taken', `the host name ${host} belongs to the app "${owner}"; choose another, or remove that app`, { facts: { host, owner } });
  }
}

function forgetFailures(farm: Farm, app: string): void {
  const notes = farm.memory.of(app, farm.now());
  notes.startFailures = notes.sleepFailures = notes.templateFailures = 0;
  notes.startNotBefore = notes.sleepNotBefore = notes.templateNotBefore = 0;
}
