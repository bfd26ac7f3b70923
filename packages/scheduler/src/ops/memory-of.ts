import type { InstanceRecord } from '@appshot/protocol';
import type { Farm } from '../farm.js';

/** What an instance uses, bytes: as its node last said, or as was recorded. */
export function memoryOf(farm: Farm, record: InstanceRecord): number {
  return farm.nodes.useOf(record.aid)?.memoryBytes ?? record.memoryBytes;
}
