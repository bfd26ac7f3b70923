import type { AppRecord, InstanceRecord, Millis } from '@appshot/protocol';
import type { Farm } from '../farm.js';
import type { JobDesk } from '../jobs/job-desk.js';
import { growApp } from '../ops/grow-app.js';
import { planTrial } from '../policy/plan-trial.js';

const awake: ReadonlySet<InstanceRecord['state']> = new Set(['ready', 'launching', 'cloning', 'restoring', 'unparking', 'draining']);

const awakeOf = (instances: readonly InstanceRecord[], version: number): readonly InstanceRecord[] => instances.filter((one) => awake.has(one.state) && one.version === version);

/** Keeps a version on trial at the size of its share, and the current version awake beside it. */
export function lookAtTrial(farm: Farm, jobs: JobDesk, { record, instances, now }: { record: AppRecord; instances: readonly InstanceRecord[]; now: Millis }): void {
  const { trial, spec: { name, scale } } = record;
  if (trial === null || now < farm.memory.of(name, now).startNotBefore) return;
  const plan = planOf(record, trial, instances);
  if (plan.kind === 'shrink') {
    const youngest = awakeOf(instances, trial.version).filter((one) => one.state === 'ready').toReversed();
    for (const { aid } of youngest.slice(0, plan.count)) jobs.retire({ app: name, aid, because: 'the version on trial has more instances than its share needs' });
  }
  if (plan.kind === 'grow') grow(farm, name, trial.version, (fresh) => (planOf(record, trial, fresh).kind === 'grow' ? plan.count : 0));
  if (awakeOf(instances, record.version).length === 0) grow(farm, name, record.version, (fresh) => (awakeOf(fresh, record.version).length === 0 ? Math.max(1, scale.min) : 0));
}

function planOf(record: AppRecord, trial: NonNullable<AppRecord['trial']>, instances: readonly InstanceRecord[]): ReturnType<typeof planTrial> {
  return planTrial({
    percent: trial.percent, current: awakeOf(instances, record.version).length, trial: awakeOf(instances, trial.version).length, max: trial.spec.scale.max,
  });
}

function grow(farm: Farm, app: string, version: number, count: (instances: readonly InstanceRecord[]) => number): void {
  const task = `grow:${app}:${version}`;
  if (farm.underway.has(task)) return;
  farm.underway.join(task, () => growApp(farm, app, { because: 'a version is on trial', version, count }))
    .catch((err: unknown) => farm.logger.warn({ err, app }, 'a version on trial could not be given its instances yet; it is looked at again'));
}
