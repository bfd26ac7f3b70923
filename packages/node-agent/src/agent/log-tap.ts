import { type FileHandle, open } from 'node:fs/promises';
import type { LogSegments } from './log-segments.js';

/** How far a file was read; the inode tells it from another file that took its name. */
export interface ReadMark { readonly inode: number; readonly offset: number }

export interface LogTapOptions {
  readonly source: string;
  readonly readMark: () => Promise<ReadMark | null>;
  readonly writeMark: (mark: ReadMark) => Promise<void>;
  readonly sink: LogSegments;
  /** The source is emptied when it has grown beyond this and was read to its end. */
  readonly truncateAfterBytes: number;
}

const chunkBytes = 262_144;

/**
 * Copies what is appended to one file into a log. Keeps the file open, so that its last lines can be read after the
 * engine has removed it.
 */
export class LogTap {
  readonly #options: LogTapOptions;
  #handle: FileHandle | null = null;
  #inode = 0;
  #offset = 0;
  #collecting: Promise<void> | null = null;

  constructor(options: LogTapOptions) {
    this.#options = options;
  }

  /** Copies everything that is new. Does nothing while the source does not exist. */
  async collect(): Promise<void> {
    // Whoever asks while another collects gets what was there when it asked: so not the one that runs, but the next.
    while (this.#collecting !== null) await this.#collecting;
    this.#collecting = this.#collectOnce().finally(() => { this.#collecting = null; });
    await this.#collecting;
  }

  async close(): Promise<void> {
    await this.#collecting?.catch(() => undefined);
    await this.#handle?.close();
    this.#handle = null;
  }

  async #collectOnce(): Promise<void> {
    const handle = this.#handle ??= await this.#open();
    if (handle === null) return;
    const buffer = Buffer.alloc(chunkBytes);
    let copied = false;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, this.#offset);
      if (bytesRead === 0) break;
      await this.#options.sink.append(buffer.subarray(0, bytesRead));
      this.#offset += bytesRead;
      copied = true;
    }
    // An instance appends, so it goes on at the new end. What it writes between the last read and this is lost: a log that
    // loses a line when it is flooded is better than a disk that fills.
    if (this.#offset > this.#options.truncateAfterBytes) {
      await handle.truncate(0);
      this.#offset = 0;
    }
    if (copied) await this.#options.writeMark({ inode: this.#inode, offset: this.#offset });
  }

  async #open(): Promise<FileHandle | null> {
    const handle = await open(this.#options.source, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (handle === null) return null;
    const { ino, size } = await handle.stat();
    const mark = await this.#options.readMark();
    this.#inode = ino;
    this.#offset = mark !== null && mark.inode === ino && mark.offset <= size ? mark.offset : 0;
    return handle;
  }
}
