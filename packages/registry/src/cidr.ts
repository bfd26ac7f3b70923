import { isIPv4 } from 'node:net';
import { FarmError } from '@appshot/runtime';

/** Addresses that may be given, as 32-bit numbers, both included. */
export interface AddressRange {
  first: number;
  last: number;
}

/** The usable addresses of an IPv4 CIDR: without network and broadcast address, where it has them. @throws FarmError `bad-request` */
export function addressRange(cidr: string): AddressRange {
  const [address = '', prefixText = '', ...rest] = cidr.split('/');
  const prefix = Number(prefixText);
  if (!isIPv4(address) || rest.length > 0 || !/^\d{1,2}$/.test(prefixText) || prefix > 32) {
    throw new FarmError('bad-request', `"${cidr}" is not an IPv4 range; write it like 10.80.0.0/16`);
  }
  const size = 2 ** (32 - prefix);
  const base = Math.floor(addressNumber(address) / size) * size;
  const edge = size > 2 ? 1 : 0;
  return { first: base + edge, last: base + size - 1 - edge };
}

/** Every address of the range once, from the one after `after` on, around the end: a released address comes last again. */
export function* addressesAfter({ first, last }: AddressRange, after: string | undefined): Generator<string> {
  const size = last - first + 1;
  const given = after === undefined ? last : addressNumber(after);
  const start = given >= first && given < last ? given + 1 : first;
  for (let i = 0; i < size; i++) yield addressText(first + ((start - first + i) % size));
}

function addressNumber(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
