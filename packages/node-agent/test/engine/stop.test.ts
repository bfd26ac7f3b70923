import path from 'node:path';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { run, testEngine, visit } from './support/test-engine.js';

test('all are stopped or none: what cannot be stopped in time is named, and everything runs on', async (t) => {
  const { engine, site, launch } = await testEngine(t);
  await run('cc', ['-O1', '-o', path.join(site, 'vforker'), path.join(import.meta.dirname, 'fixtures/vforker.c')]);
  await launch('stuck', 'c', { command: ['./vforker'], port: undefined });
  const error = await t.throwsAsync(engine.snapshot('stuck', { keepRunning: false }), { code: 'unsupported-state' });
  t.regex(error.message, /\(vforker\) could not be stopped in time/);
  t.deepEqual((await engine.list()).images, []);
  t.is(await engine.exec('stuck', ['touch', 'let-go'], [0, 2, 2]), 0);
  const wentOn = async (): Promise<boolean> => (await engine.exec('stuck', ['test', '-e', 'went-on'], [0, 2, 2])) === 0;
  await waitUntil(wentOn, { what: 'the program to go on where it was' });
  t.false((await engine.snapshot('stuck', { keepRunning: false })).cancelled);
  await engine.restore('stuck');
});

test('what never waits is stopped however often it is tried, and saved where that need not be between two waits', async (t) => {
  const { engine, site, launch } = await testEngine(t);
  await run('cc', ['-O1', '-o', path.join(site, 'caller'), path.join(import.meta.dirname, 'fixtures/caller.c')]);
  await launch('restless', 'c', { command: ['./caller'], port: undefined });
  // A template would be; some hundred times it is stopped, let run, and stopped in the middle of its calls.
  await t.throwsAsync(engine.snapshot('restless', { keepRunning: true, image: 'template' }), { code: 'unsupported-state', message: /did not come to rest/ });
  t.false((await engine.snapshot('restless', { keepRunning: false })).cancelled);
  await engine.restore('restless');
  t.is((await engine.ps('restless')).length, 1);
});

test('a template is taken of a busy instance too, between two of its waits', async (t) => {
  const { engine, launch } = await testEngine(t);
  const running = await launch('busy', 'node');
  let isOn = true;
  t.teardown(() => { isOn = false; });
  const failures: unknown[] = [];
  const visitors = Array.from({ length: 8 }, async () => {
    while (isOn) await visit(running).catch((error: unknown) => failures.push(error));
  });
  for (let round = 0; round < 5; round += 1) {
    await engine.snapshot('busy', { keepRunning: true, image: `t${round}` });
    const [clone] = await engine.clone(`t${round}`, [`c${round}`]);
    t.regex(await visit(clone!), /^visit \d+/);
  }
  isOn = false;
  await Promise.all(visitors);
  t.deepEqual(failures, []);
});
