import { agentCalls, type InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { advance } from './advance.js';
import { callAgent } from './call-agent.js';
import { drainInstance } from './drain-instance.js';

export type Retired =
  | { readonly kind: 'retired' }
  /** Requests were still in flight when its time was over; it serves on. */
  | { readonly kind: 'busy'; readonly inFlight: number }
  | { readonly kind: 'overtaken'; readonly record: InstanceRecord | null };

export interface RetireWish {
  readonly because: string;
  readonly drainMs: number;
  /** What happens to requests that outlast the drain: its app has gone, so they are ended with it; or it serves on. */
  readonly whenBusy: 'stop' | 'serve-on';
  readonly type?: 'retired' | 'stopped';
}

/** Ends an instance for good, asleep or awake: its gateways first, then its processes, then its own image and its record. */
export function retireInstance(farm: Farm, record: InstanceRecord, wish: RetireWish): Promise<Retired> {
  return farm.underway.join(`retire:${record.aid}`, async () => {
    const begunAt = performance.now();
    const settled = await outOfTraffic(farm, record, wish);
    if ('kind' in settled) return settled;
    const stopping = await advance(farm, settled.record, 'stopping', { reason: wish.because });
    if (stopping.kind === 'overtaken') return stopping;
    const drainMs = performance.now() - begunAt;
    await finishStop(farm, stopping.record);
    farm.meters.operationSeconds.observe({ type: 'retire' }, (performance.now() - begunAt) / 1000);
    farm.events.ofInstance(record, { type: wish.type ?? 'retired', because: wish.because, phases: { drain: drainMs, stop: performance.now() - begunAt - drainMs } });
    return { kind: 'retired' };
  });
}

/** One that gets requests is drained; of every other state there is nothing to drain. */
async function outOfTraffic(farm: Farm, record: InstanceRecord, wish: RetireWish): Promise<{ record: InstanceRecord } | Retired> {
  if (record.state !== 'ready' && record.state !== 'draining') return { record };
  let draining = record;
  if (record.state === 'ready') {
    const moved = await advance(farm, record, 'draining', { reason: wish.because });
    if (moved.kind === 'overtaken') return moved;
    draining = moved.record;
  }
  const drained = await drainInstance(farm, draining, wish.drainMs);
  if (drained.kind === 'drained' || wish.whenBusy === 'stop') return { record: draining };
  const back = await advance(farm, draining, 'ready', { reason: 'still busy after its time to drain' });
  return back.kind === 'overtaken' ? back : drained;
}

/** The last steps, for one that is stopping or has failed; may be repeated by anybody. */
export async function finishStop(farm: Farm, record: InstanceRecord): Promise<void> {
  let stopping = record;
  if (record.state === 'failed') {
    const moved = await advance(farm, record, 'stopping', { reason: record.reason });
    if (moved.kind === 'overtaken') return;
    stopping = moved.record;
  }
  await callAgent(farm, agentCalls(stopping.node).stop, { aid: stopping.aid, epoch: stopping.epoch, removeImage: true });
  farm.nodes.settled(record.aid);
  const gone = await advance(farm, stopping, 'gone', { reason: stopping.reason });
  if (gone.kind === 'overtaken' && gone.record !== null) throw new FarmError('stale-epoch', `${record.aid} was moved on while it was being stopped`);
}
