import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '@appshot/runtime';
import { identityOf, isAlive, ProcessIdentity } from './process-identity.js';

const patienceMs = 15_000;

/** The pids of an `up`'s children, on disk: what a killed one leaves behind is ended by the next. */
export class ChildPids {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  add(name: string, pid: number): void {
    const identity = identityOf(pid);
    if (identity !== null) writeFileSync(this.#file(name), JSON.stringify(identity), { mode: 0o600 });
  }

  remove(name: string): void {
    rmSync(this.#file(name), { force: true });
  }

  /** Ends the children of an `up` that was killed. They were told by the kernel already; this waits, and makes sure. */
  async endLeftovers(): Promise<void> {
    const names = readdirSync(this.#dir).filter((name) => name.endsWith('.pid'));
    await Promise.all(names.map(async (file) => {
      const identity = this.#read(file);
      if (identity !== null) await endProcess(identity);
      rmSync(path.join(this.#dir, file), { force: true });
    }));
  }

  #read(file: string): ProcessIdentity | null {
    try {
      return ProcessIdentity.parse(JSON.parse(readFileSync(path.join(this.#dir, file), 'utf8')));
    } catch {
      return null;
    }
  }

  #file(name: string): string {
    return path.join(this.#dir, `${name}.pid`);
  }
}

async function endProcess(identity: ProcessIdentity): Promise<void> {
  signal(identity, 'SIGTERM');
  const ended = await waitUntil(() => !isAlive(identity), { withinMs: patienceMs, what: `process ${identity.pid} to end` }).then(() => true, () => false);
  if (ended) return;
  signal(identity, 'SIGKILL');
  await waitUntil(() => !isAlive(identity), { what: `process ${identity.pid} to end` });
}

function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch {
    // It has just ended.
  }
}
