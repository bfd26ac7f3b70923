import { proc } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { openEngine } from '../../src/engine/open-engine.js';
import { run, testEngine, visit } from './support/test-engine.js';

/** CPU time that a process has used, in clock ticks. */
function cpuTicks(pid: number): number {
  const fields = proc.text(pid, 'stat').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

test('a parked instance keeps its memory, uses no CPU, and serves who waits as soon as it is unparked', async (t) => {
  const { engine, launch } = await testEngine(t);
  const running = await launch('parked', 'node');
  t.regex(await visit(running), /^visit 1\b/);
  await engine.park('parked');
  await engine.park('parked');
  t.is((await engine.list()).running[0]?.state, 'parked');
  const before = cpuTicks(running.pid);
  let answered = false;
  const visitor = visit(running).then((text) => { answered = true; return text; });
  await t.throwsAsync(engine.exec('parked', ['true'], [0, 2, 2]), { message: /parked/ });
  t.is(cpuTicks(running.pid), before);
  t.false(answered);
  const unparked = await engine.unpark('parked');
  t.is(unparked.address, running.address);
  t.regex(await visitor, /^visit 2\b/);
  await engine.unpark('parked');
  t.is((await engine.list()).running[0]?.state, 'running');
});

test('what is asked of an instance right after it was unparked finds it running, and can park it again', async (t) => {
  const { engine, launch } = await testEngine(t);
  const running = await launch('hurried', 'node');
  for (let visits = 1; visits <= 5; visits += 1) {
    await engine.park('hurried');
    await engine.unpark('hurried');
    await engine.park('hurried');
    t.is((await engine.list()).running[0]?.state, 'parked');
    await engine.unpark('hurried');
    t.is(await engine.exec('hurried', ['true'], [0, 2, 2]), 0);
    t.regex(await visit(running), new RegExp(`^visit ${visits}\\b`));
  }
});

test('clones can be made parked; each is an instance of its own once it is unparked', async (t) => {
  const { engine, launch } = await testEngine(t);
  await visit(await launch('site', 'nginx'));
  await engine.snapshot('site', { keepRunning: true, image: 'template' });
  const clones = await engine.clone('template', ['p-1', 'p-2', 'p-3'], { parked: true });
  const parked = (await engine.list()).running.filter(({ state }) => state === 'parked').map(({ aid }) => aid);
  t.deepEqual(parked.toSorted(), ['p-1', 'p-2', 'p-3']);
  for (const { aid } of clones.slice(0, 2)) t.is(await visit(await engine.unpark(aid)), 'visit');
  // One that never served ends as well as the others.
  t.deepEqual(await engine.stop('p-3'), { exited: true });
});

test('a parked instance can be saved, and its template taken, and what was parked stays so', async (t) => {
  const { engine, launch } = await testEngine(t);
  await visit(await launch('kept', 'python'));
  await engine.park('kept');
  await engine.snapshot('kept', { keepRunning: true, image: 'template' });
  t.is((await engine.list()).running[0]?.state, 'parked');
  await engine.snapshot('kept', { keepRunning: false });
  t.deepEqual((await engine.list()).running, []);
  t.is(await visit(await engine.restore('kept')), 'visit 2');
});

test('the next keeper finds a parked instance parked', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  await visit(await launch('outlives', 'c'));
  await engine.park('outlives');
  const { stdout } = await run('pgrep', ['-f', `appshot-keeper --dir ${dir}$`]);
  for (const pid of stdout.trim().split('\n').map(Number)) process.kill(pid, 'SIGKILL');
  const next = await openEngine({ dir });
  await waitUntil(async () => (await next.list()).running[0]?.state === 'parked', { what: 'the instance to be adopted' });
  t.is(await visit(await next.unpark('outlives')), 'visit 2');
  await next.close();
});
