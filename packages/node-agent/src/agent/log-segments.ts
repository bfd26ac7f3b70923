import { appendFile, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

export interface LogSegmentsOptions {
  readonly dir: string;
  /** Bytes after which a new file begins. */
  readonly segmentBytes: number;
  /** Files kept of each log; the oldest go. */
  readonly segmentsKept: number;
}

interface Segment { readonly file: string; readonly start: number }

const nameOf = (start: number): string => `${String(start).padStart(15, '0')}.log`;

/**
 * One log that never grows beyond a size: files named by the offset, in the whole log, of their first byte, so that
 * readers' offsets stay valid while the oldest files are dropped.
 */
export class LogSegments {
  readonly #options: LogSegmentsOptions;

  constructor(options: LogSegmentsOptions) {
    this.#options = options;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const { dir, segmentBytes, segmentsKept } = this.#options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const segments = await this.#segments();
    const last = segments.at(-1);
    const lastSize = last === undefined ? 0 : (await stat(last.file)).size;
    const isFull = last !== undefined && lastSize >= segmentBytes;
    const start = last === undefined ? 0 : isFull ? last.start + lastSize : last.start;
    await appendFile(path.join(dir, nameOf(start)), bytes, { mode: 0o600 });
    if (isFull) for (const old of segments.slice(0, Math.max(0, segments.length + 1 - segmentsKept))) await rm(old.file, { force: true });
  }

  /** Up to `maxBytes` after offset `after`; without it, the last ones. `next` is the offset to go on from. */
  async read(after: number | undefined, maxBytes: number): Promise<{ text: string; next: number }> {
    const segments = await this.#segments();
    const sizes = await Promise.all(segments.map(async ({ file }) => (await stat(file)).size));
    const ends = segments.map(({ start }, index) => start + (sizes[index] ?? 0));
    const end = ends.at(-1) ?? 0;
    const first = segments[0]?.start ?? 0;
    let at = Math.min(end, Math.max(first, after ?? end - maxBytes));
    const chunks: Buffer[] = [];
    for (const [index, { file, start }] of segments.entries()) {
      const left = maxBytes - chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      const count = Math.min(left, (ends[index] ?? 0) - at);
      if (count <= 0) continue;
      const chunk = await readAt(file, at - start, count);
      chunks.push(chunk);
      at += chunk.length;
    }
    const bytes = Buffer.concat(chunks);
    const whole = wholeCharacters(bytes);
    // From the middle of the log, the first line may be half a one.
    const cut = after === undefined && at - bytes.length > first ? bytes.indexOf(10) + 1 : 0;
    return { text: bytes.subarray(cut, whole).toString('utf8'), next: at - (bytes.length - whole) };
  }

  async #segments(): Promise<Segment[]> {
    const names = await readdir(this.#options.dir).catch(() => [] as string[]);
    return names.filter((name) => /^\d{15}\.log$/.test(name)).sort().map((name) => ({ file: path.join(this.#options.dir, name), start: Number.parseInt(name, 10) }));
  }
}

async function readAt(file: string, position: number, count: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(count);
    const { bytesRead } = await handle.read(buffer, 0, count, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** How many of the bytes are whole UTF-8 characters: a character that is cut at the end is left for the next reading. */
export function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] as number;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const needs = byte >= 0b1111_0000 ? 4 : byte >= 0b1110_0000 ? 3 : byte >= 0b1100_0000 ? 2 : 1;
    return needs > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
