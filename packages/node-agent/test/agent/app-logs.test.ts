import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLogger, FarmError } from '@appshot/runtime';
import test from 'ava';
import { AppLogs } from '../../src/agent/app-logs.js';

const aid = 'a0000000000001';

function setUp(t: { teardown(work: () => void): void }, segmentBytes = 10_000): { source: string; open: () => AppLogs } {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-logs-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(path.join(dir, 'engine'));
  const source = path.join(dir, 'engine', aid);
  const open = (): AppLogs => new AppLogs({
    dir: path.join(dir, 'logs'), sourceOf: (name) => path.join(dir, 'engine', name), segmentBytes, segmentsKept: 3, logger: createLogger('test'),
  });
  return { source, open };
}

test('an app\'s output is read while it runs, after its file is gone, and by the next agent', async (t) => {
  const { source, open } = setUp(t);
  const logs = open();
  await logs.start();
  writeFileSync(source, 'started\n');
  logs.follow(aid);
  t.is((await logs.read(aid, undefined, 1_000)).text, 'started\n');
  appendFileSync(source, 'ended\n');
  rmSync(source);
  await logs.finish(aid);
  t.is((await logs.read(aid, undefined, 1_000)).text, 'started\nended\n');
  await logs.close();
  t.is((await open().read(aid, 8, 1_000)).text, 'ended\n');
});

test('a new agent goes on where the old one stopped', async (t) => {
  const { source, open } = setUp(t);
  const first = open();
  await first.start();
  writeFileSync(source, 'one\n');
  first.follow(aid);
  await first.close();
  appendFileSync(source, 'two\n');
  const second = open();
  await second.start();
  second.follow(aid);
  t.is((await second.read(aid, 0, 1_000)).text, 'one\ntwo\n');
  await second.close();
});

test('a file that has grown large is emptied once it was read', async (t) => {
  const { source, open } = setUp(t, 100);
  const logs = open();
  await logs.start();
  writeFileSync(source, 'x'.repeat(150));
  logs.follow(aid);
  t.is((await logs.read(aid, 0, 1_000)).text.length, 150);
  t.is(statSync(source).size, 0);
  appendFileSync(source, 'more');
  t.is((await logs.read(aid, 150, 1_000)).text, 'more');
  await logs.close();
});

test('of an AID that was never here there is no log', async (t) => {
  const { open } = setUp(t);
  const error = await t.throwsAsync(open().read(aid, undefined, 100), { instanceOf: FarmError });
  t.is(error.code, 'not-found');
});
