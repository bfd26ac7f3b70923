import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from '@appshot/runtime/testing';
import { firstReplyOfStarting } from './first-reply.js';

/** The Node.js example, with as much live JavaScript heap as one likes. */
export interface Heap {
  readonly name: string;
  readonly ballastMb: number;
}

export const heaps: readonly Heap[] = [{ name: 'node', ballastMb: 0 }, { name: 'node + 50 MB', ballastMb: 34 }];

/** About 400 MB of live memory: starting it takes more than a second, so it is for fewer rounds. */
export const largeHeap: Heap = { name: 'node + 400 MB', ballastMb: 205 };

export const siteDirectory = fileURLToPath(new URL('../../examples/node-counter', import.meta.url));

/** A fresh process of the site, at its first answer. */
export interface FreshSite {
  readonly pid: number;
  end(): Promise<void>;
}

export async function startFresh({ ballastMb }: Heap): Promise<FreshSite> {
  const port = await freePort();
  const child = spawn(process.execPath, ['server.js'], { cwd: siteDirectory, env: { PORT: String(port), BALLAST_MB: String(ballastMb) }, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await firstReplyOfStarting({ ip: '127.0.0.1', port });
  return {
    pid: child.pid ?? 0,
    async end() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** spawn to first 200, milliseconds: what a site that is started on demand needs. */
export async function coldStart(heap: Heap): Promise<number> {
  const startedAt = performance.now();
  const site = await startFresh(heap);
  const took = performance.now() - startedAt;
  await site.end();
  return took;
}
