import type { InstanceRecord, InstanceState } from '@appshot/protocol';
import type { InstancePatch } from '@appshot/registry';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';

/** `overtaken`: somebody else has moved the instance on; `record` is what it is now, null when it is gone. */
export type Advance = { readonly kind: 'done'; readonly record: InstanceRecord } | { readonly kind: 'overtaken'; readonly record: InstanceRecord | null };

/** Moves an instance on from exactly what the caller has read. Losing the race is an ordinary outcome. */
export async function advance(farm: Farm, record: InstanceRecord, to: InstanceState, told: { reason: string; patch?: InstancePatch | undefined }): Promise<Advance> {
  try {
    const { aid, epoch, state } = record;
    const moved = await farm.registry.instances.transition({ aid, from: [state], to, epoch, reason: told.reason, now: farm.now(), patch: told.patch });
    return { kind: 'done', record: moved };
  } catch (error) {
    if (!(error instanceof FarmError) || !['stale-epoch', 'illegal-transition', 'not-found'].includes(error.code)) throw error;
    return { kind: 'overtaken', record: await farm.registry.instances.get(record.aid) ?? null };
  }
}
