import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FarmError } from '@appshot/runtime';
import { z } from 'zod';

const Book = z.record(z.string(), z.number().int());

/**
 * Which unprivileged id each app runs under on this node. An id is given once and never to another app: files of the
 * first might still stand somewhere.
 */
export class UidBook {
  readonly #file: string;
  readonly #first: number;
  readonly #count: number;
  #uids: Record<string, number> = {};

  constructor(options: { file: string; first: number; count: number }) {
    this.#file = options.file;
    this.#first = options.first;
    this.#count = options.count;
  }

  load(): void {
    mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    try {
      this.#uids = Book.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        throw new FarmError('internal', `${this.#file}, which says what user each app runs under, cannot be read`, { cause: error });
      }
    }
  }

  /** @throws FarmError `no-room` when the range is used up. */
  uidOf(app: string): number {
    const known = this.#uids[app];
    if (known !== undefined) return known;
    const uid = Math.max(this.#first - 1, ...Object.values(this.#uids)) + 1;
    if (uid >= this.#first + this.#count) throw new FarmError('no-room', `all ${this.#count} user ids for apps are taken on this node`);
    this.#uids[app] = uid;
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#uids), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
    return uid;
  }
}
