import type { AppRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { claimPorts, releasePortsAfter } from './farm-ports.js';
import { prepareVersion } from './prepare-version.js';
import { found, shiftTraffic, switchTo } from './shift-traffic.js';

/**
 * Takes back the last change of an app: a version on trial goes; otherwise the version before the current one is made from its
 * own template, under a new number, and switched to. Rolling back twice is where one was.
 * @throws FarmError `not-found` (no such app), `illegal-transition` (nothing to go back to), `port-in-use` (its farm port has gone to somebody else), what the start failed with
 */
export async function rollBack(farm: Farm, name: string): Promise<AppRecord> {
  const app = await found(farm, name);
  if (app.trial !== null) return shiftTraffic(farm, name, 0);
  const { previous } = app;
  if (previous === null) throw new FarmError('illegal-transition', `${name} has no earlier version to go back to`);
  const because = `rolled back to version ${previous.version}`;
  // Its farm ports were given back when it was replaced.
  const spec = await claimPorts(farm, previous.spec);
  const after = await releasePortsAfter(farm, name, async () => switchTo(farm, await prepareVersion(farm, spec, { because, from: previous.template })));
  farm.events.ofApp(name, { type: 'rolled-back', because, facts: { from: app.version, to: previous.version, version: after.version } });
  return after;
}
