import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import { Failpoints } from './support/failpoints.js';
import { run, testEngine } from './support/test-engine.js';

// Read by the keepers that this file starts.
process.env['APPSHOT_FAILPOINTS'] = '1';

/** A program that looks at each visit whether all its pages hold what they have to, then writes some anew; put to sleep and woken. */
async function pagesSite(t: ExecutionContext) {
  const { dir, engine, launch, site } = await testEngine(t);
  await run('cc', ['-O1', '-o', path.join(site, 'pages'), path.join(import.meta.dirname, 'fixtures/pages.c')]);
  await launch('site', 'c', { command: ['./pages'] });
  const address = async (): Promise<string> => `${(await engine.list()).running.find(({ aid }) => aid === 'site')?.ip}:3000`;
  const visit = async (page = ''): Promise<string> =>
    (await fetch(`http://${await address()}/${page}`, { signal: AbortSignal.timeout(patienceMs), headers: { connection: 'close' } })).text();
  const sleep = async (): Promise<number> => (await engine.snapshot('site', { keepRunning: false })).bytes;
  const pages = () => stat(path.join(dir, 'images/site/pages.bin'));
  return { dir, engine, visit, sleep, pages };
}

test('an instance that sleeps again and again writes only what has changed since the last time, and wakes with all it had', async (t) => {
  const { engine, visit, sleep, pages } = await pagesSite(t);
  t.true(await sleep() > 24e6);
  await engine.restore('site');
  t.is(await visit('most'), 'visit 1, all right\n');
  const most = await sleep();
  t.true(most > 4e6, `${most}`);
  const file = await pages();
  let visits = 1;
  for (let round = 0; round < 3; round += 1) {
    await engine.restore('site');
    for (let count = 0; count < 3; count += 1) t.is(await visit(), `visit ${visits += 1}, all right\n`);
    const bytes = await sleep();
    // What has changed, and up to a megabyte of what is used first.
    t.true(bytes < 2e6, `${bytes} in round ${round}`);
    // All in the same file, which grows.
    t.is((await pages()).ino, file.ino);
  }
  t.true((await pages()).size > file.size);
  await engine.restore('site');
  // A template has the same pages and outlives the file's other owners.
  const template = await engine.snapshot('site', { keepRunning: true, image: 'template' });
  t.true(template.bytes < 2e6, `${template.bytes}`);
  t.is(await visit(), `visit ${visits += 1}, all right\n`);
  await sleep();
  await engine.restore('site');
  t.is(await visit(), `visit ${visits += 1}, all right\n`);
  await engine.stop('site');
  await engine.removeImage('site');
  const [clone] = await engine.clone('template', ['clone']);
  t.regex(await (await fetch(`http://${clone!.address}/`, { headers: { connection: 'close' } })).text(), /^visit \d+, all right/);
});

test('a page file most of which nobody needs any more is written anew', async (t) => {
  const { engine, visit, sleep, pages } = await pagesSite(t);
  await sleep();
  const files = new Set<number>();
  let visits = 0;
  for (let round = 0; round < 8; round += 1) {
    await engine.restore('site');
    t.is(await visit('most'), `visit ${visits += 1}, all right\n`);
    await sleep();
    const { ino, blocks } = await pages();
    files.add(ino);
    t.true(blocks * 512 < 48e6, `${blocks * 512}`);
  }
  t.true(files.size > 1);
  await engine.restore('site');
  t.is(await visit(), `visit ${visits += 1}, all right\n`);
});

test('whatever ends a snapshot that was appending, the image before is whole', async (t) => {
  const { dir, engine, visit, sleep, pages } = await pagesSite(t);
  const failpoints = new Failpoints(dir);
  t.teardown(() => failpoints.close());
  await sleep();
  await engine.restore('site');
  await visit();
  await sleep();
  await engine.restore('site');
  t.regex(await visit('most'), /all right/);
  const before = (await pages()).size;
  await failpoints.arm('snapshot: copy', 'error');
  await t.throwsAsync(sleep());
  t.is((await pages()).size, before);
  t.regex(await visit(), /all right/);
  await failpoints.arm('snapshot: copy', 'kill');
  await t.throwsAsync(sleep());
  await waitUntil(() => engine.list().then(() => true, () => false), { what: 'the next keeper' });
  t.true((await pages()).size > before);
  if ((await engine.list()).running.length === 0) await engine.restore('site');
  t.regex(await visit(), /all right/);
  t.true(await sleep() > 0);
  await engine.restore('site');
  t.regex(await visit(), /all right/);
  t.deepEqual((await readdir(path.join(dir, 'images'))).filter((name) => !name.startsWith('.')), ['site']);
});
