import { PassThrough, type Readable } from 'node:stream';
import type { Farm } from '../farm.js';

/** Events without `follow` and `after`: the last so many. */
const lastCount = 200;
/** A reader that is so far behind is cut off, bytes. */
const behindBytes = 4_000_000;

/** Events as NDJSON, each line an event and its `id`, which works as `after`. */
export async function eventStream(farm: Farm, { after, follow }: { after?: string | undefined; follow: boolean }): Promise<Readable> {
  const stream = new PassThrough();
  let last = after;
  for (;;) {
    const stored = await farm.registry.events.read({ after: last, count: lastCount });
    for (const { id, event } of stored) stream.write(line(id, event));
    last = stored.at(-1)?.id ?? last;
    if (after === undefined || stored.length < lastCount) break;
  }
  if (!follow) return stream.end();
  const stop = new AbortController();
  stream.once('close', () => stop.abort());
  void farm.registry.events.follow(last ?? '0-0', (event, id) => {
    if (stream.writableLength > behindBytes) stream.destroy();
    else stream.write(line(id, event));
  }, stop.signal);
  return stream;
}

const line = (id: string, event: object): string => `${JSON.stringify({ id, ...event })}\n`;
