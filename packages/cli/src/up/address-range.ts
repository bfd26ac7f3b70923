import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const blocks = 1280;
const blockBits = 12;
const lowest = 0x0a80_0000;

/**
 * The addresses of a farm that was given none: 4,096 of 10.128.0.0 to 10.207.255.255, the first from a place that its folder's name
 * says which nobody on this machine uses. (Engines without a farm take theirs from 10.213.0.0/16.)
 * @param used addresses that routes of this machine lead to, as numbers
 */
export function chooseAddressRange(dir: string, used: readonly number[]): string {
  const taken = new Set(used.map((address) => (address - lowest) >>> blockBits));
  const first = createHash('sha256').update(dir).digest().readUInt32BE(0) % blocks;
  const free = Array.from({ length: blocks }, (_, i) => (first + i) % blocks).find((block) => !taken.has(block));
  const address = lowest + ((free ?? first) << blockBits);
  return `10.${(address >>> 16) & 255}.${(address >>> 8) & 255}.0/20`;
}

/** Where the routes of a table like /proc/net/route lead, but for the default ones. */
export function routedAddresses(table: string): number[] {
  const fromHex = (text = ''): number => Buffer.from(text, 'hex').reverse().readUInt32BE(0);
  return table.trim().split('\n').slice(1).map((line) => line.split(/\s+/)).filter((fields) => fields[7] !== '00000000').map((fields) => fromHex(fields[1]));
}

/** A farm keeps the addresses that it had first: what runs has them, and what sleeps may come back to them. */
export function addressRangeOf(root: string): string {
  const file = path.join(root, 'addresses');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const range = chooseAddressRange(root, routedAddresses(readFileSync('/proc/net/route', 'utf8')));
  writeFileSync(file, `${range}\n`, { mode: 0o600 });
  return range;
}
