import { createHash } from 'node:crypto';

/**
 * The addresses of a farm that was given none: 4,096 of 10.128.0.0/9, chosen by its folder, so that a farm finds its own
 * again and several on one machine hardly ever meet.
 */
export function addressRangeOf(dir: string): string {
  const block = createHash('sha256').update(dir).digest().readUInt16BE(0) % 2048;
  return `10.${128 + (block >> 4)}.${(block & 15) << 4}.0/20`;
}
