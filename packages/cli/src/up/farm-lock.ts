import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FarmError } from '@appshot/runtime';
import type { FarmDir } from './farm-dir.js';
import { identityOf, isAlive, ProcessIdentity } from './process-identity.js';

/** One `up` in one folder at a time. */
export class FarmLock {
  readonly #root: string;
  readonly #file: string;

  constructor({ root, run }: FarmDir) {
    this.#root = root;
    this.#file = path.join(run, 'up.lock');
  }

  /** @throws FarmError `unavailable` that names the pid of the one that runs. */
  acquire(): void {
    const mine = `${this.#file}.${process.pid}`;
    writeFileSync(mine, JSON.stringify(identityOf(process.pid)), { mode: 0o600 });
    try {
      // Linked rather than created: the lock is never seen without its owner in it.
      while (!this.#tryLink(mine)) {
        const owner = this.#owner();
        if (owner !== null && isAlive(owner)) {
          throw new FarmError('unavailable', `a farm runs in ${this.#root} already, as process ${owner.pid}: end it first, or give another --dir`, { facts: { pid: owner.pid } });
        }
        rmSync(this.#file, { force: true });
      }
    } finally {
      rmSync(mine, { force: true });
    }
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }

  #tryLink(mine: string): boolean {
    try {
      linkSync(mine, this.#file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return false;
    }
  }

  #owner(): ProcessIdentity | null {
    try {
      return ProcessIdentity.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch {
      return null;
    }
  }
}
