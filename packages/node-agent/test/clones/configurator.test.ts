import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { FarmError } from '@appshot/runtime';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import { run } from '../engine/support/test-engine.js';
import { ask, type CloneFarm, cloneFarm, twin } from './clone-farm.js';

const zone = 'Define <ID> as PROPERTY application-ID\nSET ENV "ZONE" = "zone of <ID>"\n';

const cloned = async ({ engine }: CloneFarm, of: string, names: readonly string[]) => {
  await engine.snapshot(of, { keepRunning: true, image: `${of}-template`, template: true });
  return engine.clone(`${of}-template`, names);
};

const differ = (t: ExecutionContext, told: readonly Record<string, unknown>[], names: readonly string[]): void => {
  for (const name of names) t.is(new Set(told.map((one) => one[name])).size, told.length, name);
};

// More of each than a program draws in advance.
const drawsDiffer = (t: ExecutionContext, told: readonly Record<string, unknown>[]): void => {
  for (const name of ['uuids', 'numbers']) {
    const all = told.flatMap((one) => one[name] as (string | number)[]);
    t.is(new Set(all).size, all.length, name);
  }
};

test('clones of a Node.js program draw other numbers, UUIDs and bytes, and have variables of their own', async (t) => {
  const farm = await cloneFarm(t);
  const parent = await farm.launch('parent', ['node', 'site.mjs'], { rules: zone, name: 'shop' });
  const before = await ask(parent);
  t.like(before['self'], { aid: 'parent', app: 'shop', generation: 0, template: null, ip: parent.ip });
  const clones = await cloned(farm, 'parent', ['a', 'b', 'c']);
  const told = await Promise.all([parent, ...clones].map((one) => ask(one)));
  differ(t, told, ['math', 'bytes', 'zone']);
  drawsDiffer(t, told);
  t.is(told[1]?.['zone'], 'zone of a');
  t.like(told[2]?.['self'], { aid: 'b', generation: 1, template: 'parent-template', ip: clones[1]?.ip });
});

test('clones of a Node.js program that has drawn nothing yet draw other things too, and so do clones of a clone that has', async (t) => {
  const farm = await cloneFarm(t);
  await farm.launch('parent', ['node', 'site.mjs'], { env: { DRAWN_BEFORE: 'none' } });
  const clones = await cloned(farm, 'parent', ['a', 'b', 'c']);
  const told = await Promise.all(clones.map((one) => ask(one)));
  const clonesOfB = await cloned(farm, 'b', ['d', 'e', 'f']);
  const toldLater = await Promise.all(clonesOfB.map((one) => ask(one)));
  drawsDiffer(t, [...told, ...toldLater]);
});

test('the heap of a Node.js program lies in one place, and its clones have as little page table as that takes', async (t) => {
  const { launch } = await cloneFarm(t);
  const { pid } = await launch('parent', ['node', 'site.mjs']);
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8');
  // Memory without a file, by the gigabyte that it lies in: V8 by itself spreads dozens of pieces over the whole address space.
  const places = new Set([...maps.matchAll(/^([0-9a-f]+)-[0-9a-f]+ rw-p 0+ 00:00 0 *$/gm)].map(([, start]) => BigInt(`0x${start}`) >> 30n));
  t.true(places.size <= 12, [...places].join());
});

test('a clone of a Node.js program does not collect at once the garbage that it shares with its template', async (t) => {
  const farm = await cloneFarm(t);
  await farm.launch('parent', ['node', '--expose-gc', '--trace-gc', '--trace-gc-verbose', 'collector.mjs']);
  const [clone] = await cloned(farm, 'parent', ['a']);
  // What V8 writes when it looks whether to collect, milliseconds after the program's start.
  const looked = async (aid: string) => /(\d+) ms: Memory reducer/.exec(await farm.log(aid))?.[1];
  const dueMs = Number(await waitUntil(() => looked('parent')));
  await waitUntil(async () => (await ask<{ now: number }>(clone!)).now > dueMs + 1000);
  t.is(await looked('a'), undefined);
});

test('a clone of a Node.js program that stands ready has at most a tenth of its parent\'s memory for itself', async (t) => {
  const farm = await cloneFarm(t);
  const parent = await farm.launch('parent', ['node', 'site.mjs'], { env: { DRAWN_BEFORE: 'none' } });
  const own = async (pid: number): Promise<number> => {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
    return [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  };
  // A thread that computes may hold a lock, and then each clone has to find out for itself what has to be known of the program.
  const computed = async (): Promise<string> => (await run('sh', ['-c', `cat /proc/${parent.pid}/task/*/schedstat`])).stdout;
  await waitUntil(async () => {
    const before = await computed();
    await pause(200);
    return await computed() === before;
  });
  const parents = await own(parent.pid);
  // One of these two is the first of all, and finds it out for the others.
  await cloned(farm, 'parent', ['a']);
  await farm.engine.clone('parent-template', ['b']);
  for (const { pid } of await farm.engine.clone('parent-template', ['c', 'd'], { parked: true })) {
    const mine = await own(pid);
    t.true(mine > 0 && mine <= parents / 10, `${mine} of ${parents} kB`);
  }
});

test('clones of a Python program draw other numbers, and os.environ is their own', async (t) => {
  const farm = await cloneFarm(t);
  const parent = await farm.launch('parent', ['/usr/bin/python3', 'site.py'], { rules: zone });
  const clones = await cloned(farm, 'parent', ['a', 'b']);
  const told = await Promise.all([parent, ...clones].map((one) => ask(one)));
  differ(t, told, ['random', 'ssl', 'zone']);
  t.is(told[2]?.['zone'], 'zone of b');
});

test('a clone is told by a signal, and its hook answers before it counts as running', async (t) => {
  const farm = await cloneFarm(t);
  await farm.launch('parent', ['node', 'site.mjs'], { clone: { signal: 'USR2', hook: '/cloned', withinMs: patienceMs } });
  const [clone] = await cloned(farm, 'parent', ['a']);
  const told = await ask<{ told: number; hookBody: string }>(clone!);
  t.is(told.told, 1);
  t.like(JSON.parse(told.hookBody), { aid: 'a', generation: 1 });
});

test('a clone that does not confirm is ended, and the failure says what it did not do', async (t) => {
  const farm = await cloneFarm(t);
  const refused = async (name: string, env: Record<string, string>, clone: object): Promise<FarmError> => {
    await farm.launch(name, ['node', 'site.mjs'], { env, clone });
    const error = await t.throwsAsync(cloned(farm, name, [`${name}-1`]));
    t.deepEqual((await farm.engine.list()).running.map(({ aid }) => aid), [name]);
    await farm.engine.stop(name);
    return FarmError.from(error);
  };
  const unwilling = await refused('unwilling', { HOOK_STATUS: '503' }, { hook: '/cloned', withinMs: patienceMs });
  t.is(unwilling.code, 'clone-unconfirmed');
  t.regex(unwilling.message, /the hook \/cloned of the clone unwilling-1 answered 503/);
  const silent = await refused('silent', { HOOK_STATUS: '0' }, { hook: '/cloned', withinMs: 300 });
  t.regex(silent.message, /the hook \/cloned of the clone silent-1 did not answer within 300 ms/);
  const deaf = await refused('deaf', {}, { signal: 'HUP' });
  t.is(deaf.code, 'clone-unconfirmed');
});

test('a program that cannot be told is cloned only where that is said to be acceptable', async (t) => {
  const farm = await cloneFarm(t);
  await farm.launch('strict', ['./twin-static', 'data']);
  const early = await t.throwsAsync(farm.engine.snapshot('strict', { keepRunning: true, image: 'never', template: true }));
  t.regex(early.message, /process \d+ \(twin-static\) of strict has random numbers that nobody can renew/);
  await farm.engine.snapshot('strict', { keepRunning: true, image: 'saved' });
  const late = await t.throwsAsync(farm.engine.clone('saved', ['x']), { code: 'unsupported-state' });
  t.regex(late.message, /duplicateRandomness: true/);
  await farm.engine.stop('strict');

  // What Bun and Deno look like from inside.
  await farm.launch('runtime', ['./twin-runtime', 'data']);
  const other = await t.throwsAsync(farm.engine.snapshot('runtime', { keepRunning: true, image: 'never', template: true }));
  t.regex(other.message, /process \d+ \(twin-runtime\) of runtime has random numbers that nobody can renew/);
  await farm.engine.stop('runtime');

  const parent = await farm.launch('lax', ['./twin-static', 'data'], { clone: { duplicateRandomness: true } });
  const clones = await cloned(farm, 'lax', ['a', 'b']);
  const [a, b] = await Promise.all(clones.map((one) => twin(one, 'set 1')));
  t.is(a?.['random'], b?.['random'], 'that is what was accepted');
  t.is((await twin(parent, 'set 2'))['host'], 'lax');
});

test('rules that cannot be followed are refused at launch by their line', async (t) => {
  const { launch, site } = await cloneFarm(t);
  const refused = async (rules: string, more: object = {}): Promise<string> => (await t.throwsAsync(launch('x', ['./twin', 'data'], { rules, ...more }), { code: 'bad-request' })).message;
  t.regex(await refused(`REDIR PATH "${site}" to "/elsewhere"`), /line 1: .* cannot be redirected: the program's directory/);
  t.regex(await refused('\nREDIR PATH "/data/x" to "/elsewhere"', { volumes: [{ host: site, path: '/data' }] }), /line 2: .* the volume or file \/data/);
  t.regex(await refused('DUPLICATE PATH "/data"', { volumes: [{ host: site, path: '/data' }] }), /all instances see as it is/);
  t.regex(await refused('VIRTUALIZE PORT 3000'), /line 1: port 3000 is the one by which/);
  t.regex(await refused('DUPLICATE PATH "/srv/nowhere"'), /line 1: \/srv\/nowhere, which is to be duplicated, does not exist/);
  t.regex(await refused('Define <A> as PROPERTY env:A\nREDIR PATH "/srv/a" to "/srv/<A>"', { env: { A: '../b' } }), /no plain absolute path/);
});

test('SHARE leads all instances to one place, DUPLICATE gives each its own copy at once', async (t) => {
  const farm = await cloneFarm(t);
  const shared = `${farm.site}/fixtures-shared`;
  await run('sh', ['-c', `mkdir -m 777 ${shared} && echo original > ${farm.site}/own.txt`]);
  await farm.launch('parent', ['./twin', 'data'], { rules: `SHARE PATH "${shared}"\nDUPLICATE PATH "${farm.site}/own.txt"\nDUPLICATE MEMORY "twin"` });
  const inside = (aid: string, script: string) => farm.engine.exec(aid, ['sh', '-c', script], [0, 2, 2]);
  await run('sh', ['-c', `echo changed > ${farm.site}/own.txt`]);
  t.is(await inside('parent', 'test "$(cat own.txt)" = original'), 0);
  await cloned(farm, 'parent', ['a', 'b']);
  t.is(await inside('a', `echo from-a > ${shared}/note`), 0);
  t.is(await inside('b', `test "$(cat ${shared}/note)" = from-a && test "$(cat own.txt)" = original`), 0);
  t.is((await readFile(`${shared}/note`, 'utf8')).trim(), 'from-a');
});
