import { isDeepStrictEqual } from 'node:util';
import type { AppRecord, AppSpec, InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { beginInstance } from './begin-instance.js';
import { claimPorts, releasePorts, releasePortsAfter } from './farm-ports.js';
import { becomeReady, prepareVersion } from './prepare-version.js';
import { beginTrial, forgetFailures, switchTo } from './shift-traffic.js';

/** Milliseconds that a deploy waits for another one of the same app. */
const waitForOtherMs = 60_000;

/** Name of the lease under which an app is deployed or removed. */
export const deployLease = (app: string): string => `deploy:${app}`;

export interface DeployWish {
  /** An app that is deployed just so already, and has an instance, is left alone. */
  readonly keepSame: boolean;
  /** Give the new version this share of the requests, 1 to 99, beside the old one; null: all of them. */
  readonly percent: number | null;
}

/**
 * Deploys an app and waits until its first instance is ready. An app that is deployed already gets a new version beside the
 * old, with a template of its own; then requests go to it, and the old one goes, or both serve while it is on trial. A
 * version that does not become ready changes nothing.
 * @throws FarmError `host-taken`, `port-in-use` (a farm port, which another app or another program has), what the launch failed with, `unavailable` (another deploy of it takes too long)
 */
export async function deployApp(farm: Farm, wanted: AppSpec, { keepSame, percent }: DeployWish): Promise<AppRecord> {
  return whileDeploying(farm, wanted.name, async () => {
    const before = await farm.registry.apps.get(wanted.name);
    const spec = await claimPorts(farm, wanted);
    const instances = await farm.registry.instances.ofApp(spec.name);
    const serves = instances.some((one) => one.version === before?.version && one.state !== 'failed' && one.state !== 'stopping');
    if (before === undefined) return deployFirst(farm, spec);
    if (keepSame && serves && isDeepStrictEqual(before.spec, spec)) return before;
    return releasePortsAfter(farm, spec.name, async () => {
      await refuseTakenHosts(farm, spec);
      const made = await prepareVersion(farm, spec, { because: 'deployed anew', from: null });
      return percent === null ? switchTo(farm, made) : beginTrial(farm, before, made, percent);
    });
  });
}

/** One deploy, shift, rollback or removal of an app at a time, in the whole farm. @throws FarmError `unavailable` */
export async function whileDeploying<T>(farm: Farm, app: string, work: () => Promise<T>): Promise<T> {
  const held = await farm.leases.holdLong(deployLease(app), work, waitForOtherMs);
  if (held.kind === 'taken') throw new FarmError('unavailable', `${app} is being deployed or removed by somebody else; try again`);
  return held.value;
}

async function deployFirst(farm: Farm, spec: AppSpec): Promise<AppRecord> {
  const askedAt = performance.now();
  try {
    const app = await farm.registry.apps.put(spec, farm.now());
    forgetFailures(farm, spec.name);
    const record = await firstInstance(farm, app);
    await becomeReady(farm, spec, record, { because: record.reason, askedAt });
    return app;
  } catch (error) {
    await farm.registry.apps.remove(spec.name);
    await releasePorts(farm, spec.name);
    throw error;
  }
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

/** The same check as when the app is put, before its new version is started for nothing. */
async function refuseTakenHosts(farm: Farm, spec: AppSpec): Promise<void> {
  const others = (await farm.registry.apps.list()).filter((app) => app.spec.name !== spec.name);
  for (const host of spec.hosts) {
    const owner = others.find((app) => app.spec.hosts.includes(host))?.spec.name;
    if (owner !== undefined) throw new FarmError('host-taken', `the host name ${host} belongs to the app "${owner}"; choose another, or remove that app`, { facts: { host, owner } });
  }
}
