import type { AppRecord, InstanceRecord, Millis } from '@appshot/protocol';
import type { Farm } from '../farm.js';
import { asked } from '../ops/asked.js';
import { memoryOf } from '../ops/memory-of.js';
import { plannedBytes } from '../ops/place-instance.js';
import { memoryShortage } from '../policy/choose-node.js';
import type { IdleView } from '../policy/decide-idle.js';
import type { SiteView } from '../policy/decide-scale.js';
import type { SiteNotes } from '../site-notes.js';

/** On their way to getting requests. */
export const startingStates: ReadonlySet<string> = new Set(['launching', 'cloning', 'restoring', 'unparking']);

export function siteView(farm: Farm, app: AppRecord, instances: readonly InstanceRecord[], now: Millis): SiteView {
  const notes = farm.memory.of(app.spec.name, now);
  const ready = instances.filter((one) => one.state === 'ready');
  const lastVisitAt = farm.traffic.of(app.spec.name, now).lastActiveAt ?? 0;
  return {
    scale: app.spec.scale,
    ready: ready.length,
    newestReadyAt: ready.length === 0 ? null : Math.max(...ready.map((one) => one.since)),
    starting: instances.filter((one) => startingStates.has(one.state)).length,
    asleepOnRequest: instances.filter((one) => isAsleepOnRequest(one, Math.max(notes.observedSince, lastVisitAt))).length,
    roomFor: farm.nodes.roomFor(plannedBytes(farm, app.spec), now),
    cpuLeft: farm.nodes.cpuLeft(now),
    template: templateState(farm, app, notes, now),
    lastGrownAt: notes.lastGrownAt,
  };
}

/**
 * Going to sleep on request counts too, or a site with `min` would be started again while it lies down. Since before the last
 * visitor it does not, nor since before this scheduler began: a farm that was put to sleep as a whole and is up again has its
 * `min` instances awake.
 */
function isAsleepOnRequest(one: InstanceRecord, after: Millis): boolean {
  return one.since >= after && one.reason === asked && (one.state === 'asleep' || one.state === 'draining' || one.state === 'snapshotting');
}

/** One that could not be made lately counts as impossible until it is tried again: a busy site does not wait for a full disk. */
function templateState(farm: Farm, app: AppRecord, notes: SiteNotes, now: Millis): SiteView['template'] {
  if (app.template !== null) return 'ready';
  if (notes.templateImpossible === app.version || now < notes.templateNotBefore) return 'impossible';
  return farm.underway.has(`template:${app.spec.name}`) ? 'making' : 'none';
}

/** Whether a template of this version is still to be made: it can be, and what it waits for has happened. */
export function wantsTemplate(farm: Farm, app: AppRecord, now: Millis): boolean {
  const notes = farm.memory.of(app.spec.name, now);
  if (app.template !== null || notes.templateImpossible === app.version || now < notes.templateNotBefore) return false;
  return app.spec.template.after === 'ready' || farm.traffic.of(app.spec.name, now).lastActiveAt !== null;
}

export function idleView(farm: Farm, app: AppRecord, instances: readonly InstanceRecord[], now: Millis): IdleView {
  const notes = farm.memory.of(app.spec.name, now);
  const traffic = farm.traffic.of(app.spec.name, now);
  const ready = instances.filter((one) => one.state === 'ready');
  const [only] = ready;
  const node = farm.nodes.nodes(now).find((one) => one.node === only?.node);
  return {
    scale: app.spec.scale,
    ready: ready.length,
    starting: instances.filter((one) => startingStates.has(one.state)).length,
    inFlight: traffic.inFlight,
    // A gateway is silent while nothing changes: what a scheduler did not see before its own start, it takes for a visit then.
    idleSince: Math.max(traffic.lastActiveAt ?? 0, only?.since ?? 0, notes.observedSince),
    memoryBytes: only === undefined ? 0 : memoryOf(farm, only),
    wakeMs: notes.wakeMs,
    memoryShortage: node === undefined ? 0 : memoryShortage(node),
    templateWanted: wantsTemplate(farm, app, now),
    notBefore: notes.sleepNotBefore,
  };
}
