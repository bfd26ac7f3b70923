import { setTimeout as delay } from 'node:timers/promises';
import { Aid } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { keys } from './keys.js';
import type { RedisDoor } from './redis-door.js';

/** AIDs may be this far ahead of Redis' clock: less than it takes a Redis that lost its last writes to come back. */
const aheadMicros = 20_000;
/** A clock that was set back is waited for no longer than this; it does not make AIDs less unique while Redis keeps its writes. */
const waitAtMostMs = 50;
const atMost = 10_000;

/** Farm-wide unique, growing application ids: microseconds of Redis' clock, or one more than the last. */
export class Aids {
  readonly #door: RedisDoor;

  constructor(door: RedisDoor) {
    this.#door = door;
  }

  /** `count` (1 to 10,000) new AIDs in growing order. @throws FarmError `bad-request` */
  async next(count = 1): Promise<Aid[]> {
    if (!Number.isInteger(count) || count < 1 || count > atMost) throw new FarmError('bad-request', `AIDs are given 1 to ${atMost} at a time, not ${count}`);
    let answer = await this.#reserve(count, aheadMicros);
    if (answer.kind === 'ahead') {
      await delay(Math.min(waitAtMostMs, Math.ceil(answer.number / 1_000)));
      answer = await this.#reserve(count, '');
    }
    const first = answer.number;
    return Array.from({ length: count }, (_, i) => aidOf(first + i));
  }

  async #reserve(count: number, limit: number | ''): Promise<{ kind: string; number: number }> {
    const [kind, number] = (await this.#door.script('next-aids', [keys.lastAid], [count, limit])) as [string, string];
    return { kind, number: Number(number) };
  }

  /** Makes every AID given from now on greater than this one, which was found on a disk or in a running instance. @throws FarmError `bad-request` */
  async raiseFloor(aid: Aid): Promise<void> {
    if (!Aid.safeParse(aid).success) throw new FarmError('bad-request', `"${aid}" is not an AID`);
    await this.#door.script('raise-aid-floor', [keys.lastAid], [Number.parseInt(aid.slice(1), 16)]);
  }
}

function aidOf(number: number): Aid {
  return `a${number.toString(16).padStart(13, '0')}`;
}
