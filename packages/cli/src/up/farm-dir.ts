import { chmodSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/** Where a farm keeps what. Everything below `root` is for root's eyes only. */
export interface FarmDir {
  readonly root: string;
  readonly redis: string;
  readonly nats: string;
  readonly engine: string;
  readonly logs: string;
  /** What only a running `up` needs: its lock and the pids of its children. */
  readonly run: string;
}

export function openFarmDir(dir: string): FarmDir {
  const root = path.resolve(dir);
  const below = (name: string): string => path.join(root, name);
  const farm = { root, redis: below('redis'), nats: below('nats'), engine: below('engine'), logs: below('logs'), run: below('run') };
  for (const folder of Object.values(farm)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
  return farm;
}
