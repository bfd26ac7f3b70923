import type { AppSpec, RoleId } from '@appshot/protocol';
import type { Farm } from '../farm.js';
import { decidePreempt, type PreemptCandidate, type PreemptDecision, type PreemptNeed, type Victim } from '../policy/decide-preempt.js';
import { memoryOf } from './memory-of.js';
import { retireInstance } from './retire-instance.js';
import { sleepInstance } from './sleep-instance.js';

/** Puts less important instances of a node to sleep, or retires clones of theirs, for an app that needs their memory. */
export async function makeRoom(farm: Farm, need: { node: RoleId; bytes: number; for: Pick<AppSpec, 'name' | 'priority'> | null }): Promise<PreemptDecision> {
  const wanted: PreemptNeed = { node: need.node, bytes: need.bytes, app: need.for?.name ?? null, priority: need.for?.priority ?? null };
  const decision = decidePreempt(wanted, candidates(farm));
  if (decision.kind === 'refuse') return decision;
  const because = need.for === null ? `${need.node} is short of memory` : `made room for ${need.for.name} (priority ${need.for.priority})`;
  const removed = await Promise.all(decision.victims.map((victim) => removeFromMemory(farm, victim, because).catch(() => false)));
  const gone = decision.victims.filter((_, index) => removed[index]);
  // Their node says so with its next report.
  if (gone.length > 0) farm.nodes.freed(need.node, gone.map((victim) => victim.aid), gone.reduce((sum, victim) => sum + victim.memoryBytes, 0), farm.now());
  return decision;
}

async function removeFromMemory(farm: Farm, victim: Victim, because: string): Promise<boolean> {
  const record = farm.view.of(victim.app).instances.find((one) => one.aid === victim.aid);
  if (record === undefined || record.state !== 'ready') return false;
  if (victim.how === 'sleep') return (await sleepInstance(farm, record, { because, drainMs: farm.config.sleepDrainMs })).kind === 'asleep';
  return (await retireInstance(farm, record, { because, drainMs: farm.config.retireDrainMs, whenBusy: 'serve-on' })).kind === 'retired';
}

function candidates(farm: Farm): PreemptCandidate[] {
  const now = farm.now();
  return farm.view.names().flatMap((app) => {
    const { record, instances } = farm.view.of(app);
    const ready = instances.filter((one) => one.state === 'ready');
    if (record === null) return [];
    const traffic = farm.traffic.of(app, now);
    const notes = farm.memory.of(app, now);
    return ready.map((one): PreemptCandidate => ({
      aid: one.aid, app, node: one.node,
      priority: record.spec.priority,
      memoryBytes: memoryOf(farm, one),
      inFlight: ready.length === 1 ? traffic.inFlight : traffic.inFlightTo(one.aid),
      idleForMs: now - Math.max(traffic.lastActiveAt ?? 0, one.since),
      siblings: ready.length,
      min: record.spec.scale.min,
      maySleep: record.spec.scale.idleMs !== 'never' && notes.sleepNotBefore <= now,
    }));
  });
}
