import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FarmError } from '@appshot/runtime';
import test from 'ava';
import { UidBook } from '../../src/agent/uid-book.js';

test('each app keeps its own user id, also over a restart, until the range ends', (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-uids-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const open = (): UidBook => {
    const book = new UidBook({ file: path.join(dir, 'agent/uids.json'), first: 200_000, count: 2 });
    book.load();
    return book;
  };
  t.is(open().uidOf('shop'), 200_000);
  const book = open();
  t.is(book.uidOf('blog'), 200_001);
  t.is(book.uidOf('shop'), 200_000);
  t.is(t.throws(() => book.uidOf('wiki'), { instanceOf: FarmError }).code, 'no-room');
});
