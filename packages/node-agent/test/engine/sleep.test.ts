import { copyFile, mkdir, open, readdir, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import type { KeeperEngine } from '../../src/engine/keeper-engine.js';
import { openEngine } from '../../src/engine/open-engine.js';
import { awaitNothingLeft } from './support/leftovers.js';
import { type ProgramName, programs, run, testEngine, visit } from './support/test-engine.js';

/** Their ids inside. A master answers before it has all its workers. */
const allProcesses = async (engine: KeeperEngine, name: ProgramName): Promise<number[]> => await waitUntil(async () => {
  const vpids = (await engine.ps('sleeper')).map(({ vpid }) => vpid);
  return vpids.length === (name === 'nginx' ? 3 : 1) && vpids;
}, { what: `the processes of ${name}` });

for (const name of Object.keys(programs) as ProgramName[]) {
  test(`${name} sleeps and wakes with its memory, three times, and is cloned twice`, async (t) => {
    const { engine, launch } = await testEngine(t);
    const answers = async (of: { address: string }, count: number): Promise<void> => {
      const expected = name === 'nginx' ? /^visit$/ : new RegExp(`^visit ${count}\\b`);
      t.regex(await visit(of), expected);
    };
    let running = await launch('sleeper', name);
    const vpids = await allProcesses(engine, name);
    for (let round = 1; round <= 3; round += 1) {
      await answers(running, round);
      const taken = await engine.snapshot('sleeper', { keepRunning: false });
      t.false(taken.cancelled);
      t.deepEqual((await engine.list()).running, []);
      const [image, ...others] = (await engine.list()).images;
      t.is(image?.id, 'sleeper');
      t.true(image!.bytes >= taken.bytes);
      t.deepEqual(others, []);
      running = await engine.restore('sleeper');
      t.deepEqual((await engine.ps('sleeper')).map(({ vpid }) => vpid), vpids);
    }
    await answers(running, 4);
    const clones = await engine.clone('sleeper', ['clone-1', 'clone-2']);
    t.is(new Set(clones.map(({ ip }) => ip)).size, 2);
    for (const clone of clones) {
      // From the image, so without the visit since.
      await answers(clone, 4);
      t.is(await engine.exec(clone.aid, ['sh', '-c', `test "$(cat /etc/hostname)" = ${clone.aid} && test "$(hostname)" = ${clone.aid}`], [0, 2, 2]), 0);
    }
    await answers(running, 5);
  });
}

test('files that an instance wrote sleep with it; its clones have copies of their own', async (t) => {
  const { engine, launch } = await testEngine(t);
  await launch('writer', 'c');
  const inside = (aid: string, script: string): Promise<number> => engine.exec(aid, ['sh', '-c', script], [0, 2, 2]);
  t.is(await inside('writer', 'echo 1 > round.txt && echo 1 > /tmp/round && rm counter.py && mkdir deep && echo x > deep/x'), 0);
  for (let round = 2; round <= 7; round += 1) {
    await engine.snapshot('writer', { keepRunning: false });
    await engine.restore('writer');
    t.is(await inside('writer', `test "$(cat round.txt)" = ${round - 1} && test "$(cat /tmp/round)" = ${round - 1} && test ! -e counter.py && test -e deep/x`), 0);
    t.is(await inside('writer', `echo ${round} > round.txt && echo ${round} > /tmp/round`), 0);
  }
  await engine.snapshot('writer', { keepRunning: true });
  await engine.clone('writer', ['copy']);
  t.is(await inside('copy', 'test "$(cat round.txt)" = 7 && test ! -e counter.py && echo copy > round.txt && rm -r deep'), 0);
  t.is(await inside('writer', 'test "$(cat round.txt)" = 7 && test -e deep/x'), 0);
  await engine.stop('writer');
  await engine.removeImage('writer');
  t.is(await inside('copy', 'test "$(cat round.txt)" = copy && test "$(cat /tmp/round)" = 7'), 0);
});

test('files that a program has open for writing are in the layer of its next wake before it wakes', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  const inside = (script: string): Promise<number> => engine.exec('writer', ['sh', '-c', script], [0, 2, 2]);
  await launch('writer', 'c', { command: ['sh', '-c', 'echo first > open.txt; echo closed > closed.txt; exec ./counter 5>> open.txt'] });
  const copies = async (name: string): Promise<number> =>
    (await readdir(path.join(dir, 'layers'), { recursive: true }).catch(() => [])).filter((file) => path.basename(file) === name).length;
  for (let round = 1; round <= 3; round += 1) {
    await engine.snapshot('writer', { keepRunning: false });
    await waitUntil(async () => await copies('open.txt') > round, { what: 'the file to be copied ahead' });
    t.is(await copies('closed.txt'), 1);
    await engine.restore('writer');
    t.is(await inside(`test "$(wc -l < open.txt)" = ${round} && test "$(cat closed.txt)" = closed && echo round ${round} >> /proc/$(pgrep -o counter)/fd/5`), 0);
  }
});

test('a template is taken while the instance runs on', async (t) => {
  const { engine, launch } = await testEngine(t);
  const running = await launch('running', 'python');
  t.is(await visit(running), 'visit 1');
  await engine.snapshot('running', { keepRunning: true, image: 'template' });
  t.is(await visit(running), 'visit 2');
  await engine.warm('template', true);
  const [clone] = await engine.clone('template', ['fresh']);
  t.is(await visit(clone!), 'visit 2');
  await engine.warm('template', false);
  t.is(await visit(clone!), 'visit 3');
});

test('a visitor cancels a snapshot, or finds the instance asleep', async (t) => {
  const { engine, launch } = await testEngine(t);
  const running = await launch('hesitant', 'node', { env: { BALLAST_MB: '60' } });
  const snapshot = engine.snapshot('hesitant', { keepRunning: false });
  const kind = await engine.cancelSnapshot('hesitant');
  const { cancelled } = await snapshot;
  t.is(cancelled, kind === 'running');
  const answering = kind === 'running' ? running : await engine.restore('hesitant');
  t.regex(await visit(answering), /^visit 1/);
});

test('an image that was cut off or altered is refused, and the others are untouched', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  await launch('spoiled', 'c');
  await engine.snapshot('spoiled', { keepRunning: false });
  const image = path.join(dir, 'images/spoiled');
  await copyFile(path.join(image, 'pages.bin'), path.join(dir, 'pages.whole'));
  await truncate(path.join(image, 'pages.bin'), 4096);
  await t.throwsAsync(engine.restore('spoiled'), { code: 'image-invalid' });
  await copyFile(path.join(dir, 'pages.whole'), path.join(image, 'pages.bin'));
  const pages = await open(path.join(image, 'pages.bin'), 'r+');
  await pages.write(Buffer.from('altered'), 0, 7, 5000);
  await pages.close();
  await t.throwsAsync(engine.restore('spoiled'), { code: 'image-invalid' });
  await copyFile(path.join(dir, 'pages.whole'), path.join(image, 'pages.bin'));
  await rm(path.join(dir, 'pages.whole'));
  t.is(await visit(await engine.restore('spoiled')), 'visit 1');
});

test('a full disk keeps an instance running and leaves no image', async (t) => {
  const { dir: elsewhere, site } = await testEngine(t);
  const dir = path.join(path.dirname(elsewhere), 'small-disk');
  await mkdir(dir);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'none', dir]);
  const engine = await openEngine({ dir });
  try {
    const running = await engine.launch({ aid: 'big', command: programs.node, cwd: site, env: { BALLAST_MB: '30' }, volumes: [], port: 3000, readyWithinMs: patienceMs });
    await t.throwsAsync(engine.snapshot('big', { keepRunning: false }), { code: 'disk-full' });
    t.regex(await visit(running), /^visit 1 .*ballast 30/);
    await t.throwsAsync(engine.snapshot('big', { keepRunning: true }), { code: 'disk-full' });
    t.deepEqual((await engine.list()).images, []);
    await engine.stop('big');
  } finally {
    await engine.close();
    await waitUntil(() => run('umount', [dir]).then(() => true), { what: 'the keeper to let the disk go' });
  }
  await awaitNothingLeft(dir);
});

test('an instance that a command is run in is not saved meanwhile', async (t) => {
  const { engine, launch } = await testEngine(t);
  const running = await launch('busy', 'c');
  const guest = engine.exec('busy', ['sleep', '1000'], [0, 1, 2]);
  await waitUntil(async () => (await engine.ps('busy')).length === 2);
  await t.throwsAsync(engine.snapshot('busy', { keepRunning: false }), { code: 'unsupported-state' });
  t.is(await visit(running), 'visit 1');
  const sleeper = (await engine.ps('busy')).find(({ comm }) => comm === 'sleep');
  await engine.kill('busy', 'TERM', sleeper?.vpid);
  t.is(await guest, 143);
  await engine.snapshot('busy', { keepRunning: false });
  t.is(await visit(await engine.restore('busy')), 'visit 2');
});
