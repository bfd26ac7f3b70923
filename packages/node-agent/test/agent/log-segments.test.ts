import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { LogSegments, wholeCharacters } from '../../src/agent/log-segments.js';

function fresh(t: { teardown(work: () => void): void }, segmentBytes: number, segmentsKept: number): LogSegments {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-log-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return new LogSegments({ dir: path.join(dir, 'log'), segmentBytes, segmentsKept });
}

test('the end of a log is read by whole lines, and then what follows it', async (t) => {
  const log = fresh(t, 1_000, 3);
  await log.append(Buffer.from('one\ntwo\nthree\n'));
  const end = await log.read(undefined, 10);
  t.is(end.text, 'three\n');
  t.deepEqual(await log.read(end.next, 100), { text: '', next: 14 });
  await log.append(Buffer.from('four\n'));
  t.deepEqual(await log.read(end.next, 100), { text: 'four\n', next: 19 });
});

test('a log drops its oldest files and keeps its offsets', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-log-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const log = new LogSegments({ dir, segmentBytes: 10, segmentsKept: 2 });
  for (let line = 0; line < 10; line += 1) await log.append(Buffer.from(`line ${line}---\n`));
  t.is(readdirSync(dir).length, 2);
  const all = await log.read(0, 1_000);
  t.is(all.text, 'line 8---\nline 9---\n');
  t.is(all.next, 100);
});

test('there is nothing to read where nothing was written', async (t) => {
  t.deepEqual(await fresh(t, 10, 2).read(undefined, 100), { text: '', next: 0 });
});

test('reading in small steps gives back every text, no character cut', async (t) => {
  await fc.assert(fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), { maxLength: 8 }), fc.integer({ min: 8, max: 40 }), async (texts, step) => {
    const log = fresh(t, 16, 1_000);
    for (const text of texts) await log.append(Buffer.from(text));
    let read = '';
    for (let next = 0; ;) {
      const part = await log.read(next, step);
      if (part.next === next) break;
      read += part.text;
      next = part.next;
    }
    t.is(read, texts.join(''));
  }), { numRuns: 30 });
});

test('a character that is cut at the end is left for the next reading', (t) => {
  const bytes = Buffer.from('a€');
  t.is(wholeCharacters(bytes), 4);
  t.is(wholeCharacters(bytes.subarray(0, 3)), 1);
  t.is(wholeCharacters(bytes.subarray(0, 2)), 1);
  t.is(wholeCharacters(Buffer.from([0x80, 0x80])), 2);
});
