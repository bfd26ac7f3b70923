import { agentCalls, type InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { advance } from './advance.js';
import { bringUp } from './bring-up.js';
import { callAgent } from './call-agent.js';
import { finishSnapshot } from './sleep-instance.js';

/** A start that another scheduler has begun is waited for this long before its calls are repeated here: it may be dead. */
const otherSchedulerMs = 1_500;

/** An instance that somebody else is busy with, and a visitor who waits for it: moves it on, or waits until it has moved. */
export async function helpAlong(farm: Farm, record: InstanceRecord, visitor: { because: string; askedAt: number; deadline: number }): Promise<void> {
  const leftMs = Math.max(1, visitor.deadline - performance.now());
  const changed = farm.view.waitForChange(record.app, Math.min(leftMs, 500));
  if (record.state === 'snapshotting') return takeBack(farm, record, visitor.because);
  const mine = farm.underway.has(`up:${record.aid}:${record.epoch}`);
  if (mine || farm.now() - record.since > otherSchedulerMs) {
    const brought = bringUp(farm, record, { because: record.reason, askedAt: visitor.askedAt });
    // A launch may take longer than this visitor waits; it goes on without them.
    await Promise.race([brought, changed]);
    return;
  }
  await changed;
}

/** The snapshot is given up if that is still possible, else ended quickly, so that it can be restored. */
async function takeBack(farm: Farm, record: InstanceRecord, because: string): Promise<void> {
  const { kind } = await cancel(farm, record);
  if (kind === 'gone') return;
  if (kind === 'slept') {
    // Whoever put it to sleep is about to say so; saying it here too is quicker when that scheduler has died.
    await finishSnapshot(farm, record, { because: record.reason });
    return;
  }
  const moved = await advance(farm, record, 'ready', { reason: because });
  if (moved.kind === 'done') farm.events.ofInstance(record, { type: 'drain-cancelled', because, facts: { state: record.state } });
}

async function cancel(farm: Farm, record: InstanceRecord): Promise<{ kind: 'running' | 'slept' | 'gone' }> {
  try {
    return await callAgent(farm, agentCalls(record.node).cancelSnapshot, { aid: record.aid, epoch: record.epoch });
  } catch (thrown) {
    const error = FarmError.from(thrown);
    if (error.code === 'stale-epoch') return { kind: 'gone' };
    // Its processes are no more: either the image is safe by now or the instance is lost, and the snapshot call says which.
    if (error.code === 'not-found') return { kind: 'slept' };
    throw error;
  }
}
