import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FarmError } from '@appshot/runtime';
import test from 'ava';
import { openFarmDir } from '../src/up/farm-dir.js';
import { FarmLock } from '../src/up/farm-lock.js';

test('a second farm in the same folder is refused by the pid of the first; a dead one\'s lock is taken over', (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-lock-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const farm = openFarmDir(path.join(dir, 'farm'));
  const first = new FarmLock(farm);
  first.acquire();
  const error = t.throws(() => new FarmLock(farm).acquire(), { instanceOf: FarmError });
  t.regex(error.message, new RegExp(`a farm runs in .*/farm already, as process ${process.pid}`));
  // The pid is alive, but it is another process than the one that had the lock.
  writeFileSync(path.join(farm.run, 'up.lock'), JSON.stringify({ pid: process.pid, startedAt: '1' }));
  const second = new FarmLock(farm);
  second.acquire();
  second.release();
  t.notThrows(() => first.acquire());
});

test('only root may look into a farm\'s folder', (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-dir-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  for (const folder of Object.values(openFarmDir(path.join(dir, 'farm')))) t.is(statSync(folder).mode & 0o777, 0o700);
});
