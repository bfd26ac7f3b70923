import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Aid } from '@appshot/protocol';
import { FarmError, type Logger } from '@appshot/runtime';
import { LogSegments } from './log-segments.js';
import { LogTap } from './log-tap.js';

export interface AppLogsOptions {
  /** Holds one folder for each AID. */
  readonly dir: string;
  /** Where the engine writes what an instance prints. */
  readonly sourceOf: (aid: Aid) => string;
  readonly segmentBytes: number;
  readonly segmentsKept: number;
  readonly logger: Logger;
}

const collectEveryMs = 1_000;
const firstCollectMs = 20;
/** Logs of instances that are gone are kept this long after their last line. */
const keepForMs = 7 * 86_400_000;

/**
 * What the apps of this node print: collected from the engine into logs of bounded size that can be read while an
 * instance runs, while it sleeps, and for a while after it is gone.
 */
export class AppLogs {
  readonly #options: AppLogsOptions;
  readonly #taps = new Map<Aid, LogTap>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AppLogsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await mkdir(this.#options.dir, { recursive: true, mode: 0o700 });
    await this.#removeOld();
    this.#timer = setInterval(() => { for (const aid of this.#taps.keys()) void this.#collect(aid); }, collectEveryMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#taps.keys()].map((aid) => this.finish(aid)));
  }

  follow(aid: Aid): void {
    if (this.#taps.has(aid)) return;
    const dir = this.#folderOf(aid);
    this.#taps.set(aid, new LogTap({
      source: this.#options.sourceOf(aid),
      // Where the last agent stopped reading.
      readMark: () => readMark(path.join(dir, 'collected')),
      writeMark: (mark) => writeMark(path.join(dir, 'collected'), mark),
      sink: this.#segments(aid),
      truncateAfterBytes: this.#options.segmentBytes,
    }));
    // Soon, so that its file is open before the engine could remove it; not now, when somebody waits for the instance.
    setTimeout(() => void this.#collect(aid), firstCollectMs);
  }

  /** Collects the rest and stops following. */
  async finish(aid: Aid): Promise<void> {
    const tap = this.#taps.get(aid);
    if (tap === undefined) return;
    this.#taps.delete(aid);
    await tap.collect().catch((err: unknown) => this.#options.logger.warn({ err, aid }, 'the end of an app\'s output could not be read'));
    await tap.close();
  }

  /** @throws FarmError `not-found` when nothing of this AID was ever collected. */
  async read(aid: Aid, after: number | undefined, maxBytes: number): Promise<{ text: string; next: number }> {
    await this.#collect(aid);
    if (!this.#taps.has(aid) && await stat(this.#folderOf(aid)).catch(() => null) === null) {
      throw new FarmError('not-found', `there is no log of ${aid} on this node`);
    }
    return this.#segments(aid).read(after, maxBytes);
  }

  async #collect(aid: Aid): Promise<void> {
    try {
      await this.#taps.get(aid)?.collect();
    } catch (err) {
      this.#options.logger.warn({ err, aid }, 'an app\'s output could not be read');
    }
  }

  async #removeOld(): Promise<void> {
    for (const aid of await readdir(this.#options.dir)) {
      const { mtimeMs } = await stat(this.#folderOf(aid));
      if (Date.now() - mtimeMs > keepForMs) await rm(this.#folderOf(aid), { recursive: true, force: true });
    }
  }

  #folderOf(aid: Aid): string {
    return path.join(this.#options.dir, aid);
  }

  #segments(aid: Aid): LogSegments {
    const { segmentBytes, segmentsKept } = this.#options;
    return new LogSegments({ dir: this.#folderOf(aid), segmentBytes, segmentsKept });
  }
}

async function readMark(file: string): Promise<{ inode: number; offset: number } | null> {
  const [inode, offset] = (await readFile(file, 'utf8').catch(() => '')).split(' ').map(Number);
  return inode !== undefined && offset !== undefined ? { inode, offset } : null;
}

async function writeMark(file: string, { inode, offset }: { inode: number; offset: number }): Promise<void> {
  await writeFile(`${file}.new`, `${inode} ${offset}`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
