import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Aid, AppName, Epoch, Millis } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { z } from 'zod';

/** What an agent remembers of an instance, also over its own end. */
export const InstanceCard = z.object({
  aid: Aid,
  app: AppName,
  /** The highest epoch of which an operation was admitted. */
  epoch: Epoch,
  /** The port on which it listens, inside. */
  port: z.number().int().nonnegative(),
  /** When the instance was stopped for good; null while it runs or sleeps. */
  goneAt: Millis.nullable(),
});
export type InstanceCard = z.infer<typeof InstanceCard>;

/** A late copy of an operation is refused as long as its card is kept: longer than any call's timeout. */
const keepGoneForMs = 3_600_000;

/** Longer than any card: an app's name has at most 63 characters. Space is nothing in JSON. */
const cardBytes = 256;

/**
 * One small file per AID in one folder: the fencing tokens that an agent has seen.
 * Written synchronously: the write (about 30 µs) has to come before the effect, and the thread pool would cost more.
 * Written over what was there, by one call and always as long: a killed agent leaves the old card or the new one, and no
 * file is made and renamed while a visitor waits, which can take a millisecond and more.
 * Not synced to disk: what a machine's crash could lose, the crash has also ended.
 */
export class InstanceCards {
  readonly #dir: string;
  readonly #cards = new Map<string, InstanceCard>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Reads all cards; forgets those of instances that are long gone, and files that are no cards. */
  load(now: Millis): void {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#dir)) {
      const card = readCard(path.join(this.#dir, name));
      if (card === null || (card.goneAt !== null && now - card.goneAt > keepGoneForMs)) rmSync(path.join(this.#dir, name), { force: true });
      else this.#cards.set(card.aid, card);
    }
  }

  get(aid: string): InstanceCard | undefined {
    return this.#cards.get(aid);
  }

  aids(): string[] {
    return [...this.#cards.keys()];
  }

  epochOf(aid: string): Epoch {
    return this.#cards.get(aid)?.epoch ?? 0;
  }

  /**
   * Lets an operation pass, and remembers its epoch.
   * @throws FarmError `stale-epoch` when a later one has passed before, `illegal-transition` when the instance is gone.
   */
  admit(aid: string, epoch: Epoch, known: Partial<Pick<InstanceCard, 'app' | 'port'>> = {}): void {
    const card = this.#cards.get(aid);
    if (card !== undefined && epoch < card.epoch) {
      throw new FarmError('stale-epoch', `an operation of epoch ${epoch} on ${aid} came after one of epoch ${card.epoch}`, { facts: { epoch, seen: card.epoch } });
    }
    if (card !== undefined && card.goneAt !== null && epoch > card.epoch) {
      throw new FarmError('illegal-transition', `${aid} was stopped for good; a new instance gets a new AID`);
    }
    const app = known.app ?? card?.app;
    // An instance that this agent never heard of has nothing here that a late operation could harm.
    if (app === undefined) return;
    const next = { aid, app, epoch, port: known.port ?? card?.port ?? 0, goneAt: card?.goneAt ?? null };
    if (card === undefined || !sameCard(card, next)) this.#write(next);
  }

  markGone(aid: string, now: Millis): void {
    const card = this.#cards.get(aid);
    if (card !== undefined && card.goneAt === null) this.#write({ ...card, goneAt: now });
  }

  #write(card: InstanceCard): void {
    const file = openSync(path.join(this.#dir, `${card.aid}.json`), constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      writeSync(file, JSON.stringify(card).padEnd(cardBytes), 0);
    } finally {
      closeSync(file);
    }
    this.#cards.set(card.aid, card);
  }
}

const sameCard = (a: InstanceCard, b: InstanceCard): boolean =>
  a.epoch === b.epoch && a.app === b.app && a.port === b.port && a.goneAt === b.goneAt;

function readCard(file: string): InstanceCard | null {
  try {
    const parsed = InstanceCard.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
