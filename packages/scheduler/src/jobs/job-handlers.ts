import type { AppRecord, InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { UnrecoverableError } from 'bullmq';
import type { Farm } from '../farm.js';
import { makeTemplate } from '../ops/make-template.js';
import type { FarmRepairs } from '../ops/repair-farm.js';
import { retireInstance } from '../ops/retire-instance.js';
import { sleepInstance } from '../ops/sleep-instance.js';
import type { JobHandlers } from './job-desk.js';

/** How long an app that turned out to be busy is left alone, milliseconds. */
const busyPauseMs = 1_000;

/** What each job does. What it was queued for may be over by now: then it does nothing. */
export function jobHandlers(farm: Farm, repairs: FarmRepairs): JobHandlers {
  return {
    async sleep({ app, aid, epoch, because }) {
      const record = await farm.registry.instances.get(aid);
      // One or two epochs on, and the scheduler that had this job was killed in the middle of it.
      const isMine = record !== undefined && (
        (record.state === 'ready' && record.epoch === epoch) || (record.state === 'draining' && record.epoch === epoch + 1) || (record.state === 'snapshotting' && record.epoch === epoch + 2));
      if (!isMine || farm.traffic.of(app, farm.now()).inFlight > 0) return;
      const slept = await sleepInstance(farm, record, { because, drainMs: farm.config.sleepDrainMs });
      if (slept.kind === 'busy') farm.memory.of(app, farm.now()).sleepNotBefore = farm.now() + busyPauseMs;
    },

    async template({ app: name, aid, because, renews }) {
      const [app, record] = await Promise.all([farm.registry.apps.get(name), farm.registry.instances.get(aid)]);
      if (app === undefined || record === undefined || record.state !== 'ready') return;
      const again = renews !== null && app.template === renews;
      const made = await makeTemplate(farm, app, record, { because, again, isWarm: again });
      // Tried again when the app is looked at after its pause, not by BullMQ.
      if (made.kind === 'failed') throw new UnrecoverableError(made.error.message);
    },

    async retire({ app: name, aid, because }) {
      const [app, record] = await Promise.all([farm.registry.apps.get(name), farm.registry.instances.get(aid)]);
      if (record === undefined) return;
      const isOther = app === undefined || (app.version !== record.version && app.trial?.version !== record.version);
      // Queued when there were more: the last ones stay, whatever has happened to the others since.
      if (!isOther && await isNeeded(farm, app, record)) return;
      const retired = await retireInstance(farm, record, { because, drainMs: farm.config.retireDrainMs, whenBusy: isOther ? 'stop' : 'serve-on' });
      if (retired.kind === 'busy') throw new FarmError('timeout', `${aid} still has ${retired.inFlight} requests in flight`);
    },

    reconcile: () => repairs.reconcile(),
  };
}

async function isNeeded(farm: Farm, app: AppRecord, record: InstanceRecord): Promise<boolean> {
  const others = (await farm.registry.instances.ofApp(record.app)).filter((one) => one.state === 'ready' && one.aid !== record.aid);
  return record.state === 'ready' && others.length < Math.max(1, app.spec.scale.min);
}
