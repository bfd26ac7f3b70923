import { createHash } from 'node:crypto';

/**
 * The addresses of a farm that was given none: 4,096 of 10.128.0.0 to 10.207.255.255, chosen by its folder, so that a farm
 * finds its own again and several on one machine hardly ever meet. (Engines without a farm take theirs from 10.213.0.0/16.)
 */
export function addressRangeOf(dir: string): string {
  const block = createHash('sha256').update(dir).digest().readUInt32BE(0) % 1280;
  return `10.${128 + (block >> 4)}.${(block & 15) << 4}.0/20`;
}
