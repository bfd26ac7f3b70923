import test from 'ava';
import { cloneFarm, twin } from './clone-farm.js';

/** Each kind of resource in which the twin program holds its digit. */
const kinds = ['memory', 'mapped', 'privately', 'sysv', 'posix', 'anonymous', 'file', 'redirected', 'semaphore', 'queue', 'posixQueue', 'pipe', 'unix', 'directory'];
const digits = (told: Record<string, string>): Record<string, string | undefined> => Object.fromEntries(kinds.map((kind) => [kind, told[kind]]));
const all = (digit: string): Record<string, string> => Object.fromEntries(kinds.map((kind) => [kind, digit]));

const rules = `
Define <ID> as PROPERTY application-ID
REDIR PATH "/srv/twin/data" to "/srv/twin/<ID>/data"
SET ENV "WHO" = "I am <ID>"
`;

test('two clones change every kind of resource and do not see each other; a template is made from a clone', async (t) => {
  const { engine, launch } = await cloneFarm(t);
  const parent = await launch('parent', ['./twin', '/srv/twin/data'], { rules });
  await twin(parent, 'set 1');
  await engine.snapshot('parent', { keepRunning: true, image: 'template', template: true });
  const [a, b] = await engine.clone('template', ['a', 'b']);
  t.deepEqual(digits(await twin(a!)), all('1'), 'a clone starts as an exact copy');
  await twin(a!, 'set 2');
  await twin(b!, 'set 3');
  await twin(parent, 'set 4');
  const told = { a: await twin(a!), b: await twin(b!), parent: await twin(parent) };
  t.deepEqual(digits(told.a), all('2'));
  t.deepEqual(digits(told.b), all('3'));
  t.deepEqual(digits(told.parent), all('4'));

  t.is(new Set([a!.ip, b!.ip, parent.ip]).size, 3, 'each has an address of its own, on which it has the same port');
  for (const aid of ['a', 'b', 'parent'] as const) {
    t.is(told[aid]['host'], aid);
    t.is(told[aid]['aid'], aid);
    t.is(told[aid]['who'], `I am ${aid}`);
    t.is(told[aid]['pid'], told.parent['pid'], 'each has the pid that the program knows');
    t.is(told[aid]['sysvId'], told.parent['sysvId']);
  }
  for (const source of ['random', 'drand48']) t.is(new Set([told.a[source], told.b[source], told.parent[source]]).size, 3, source);

  await engine.snapshot('a', { keepRunning: true, image: 'second', template: true });
  const [grandchild] = await engine.clone('second', ['grandchild']);
  const told2 = await twin(grandchild!);
  t.deepEqual(digits(told2), all('2'));
  t.is(told2['who'], 'I am grandchild');
  await twin(grandchild!, 'set 5');
  t.deepEqual(digits(await twin(a!)), all('2'));
});

test('a redirected path leads each instance to its own place, also where nothing is yet, and again after a wake', async (t) => {
  const { engine, launch } = await cloneFarm(t);
  await launch('parent', ['./twin', '/srv/shop/open'], {
    env: { KEPT: 'of-<ID>' },
    rules: `
      Define <ID> as PROPERTY application-ID
      Define <KEPT> as PROPERTY env:KEPT
      Define <NONE> as PROPERTY env:NONE default "nobody"
      REDIR PATH "/srv/shop/" to "/var/kept/<KEPT>/shop/"
      REDIR PATH "/etc/deep/later" to "/srv/shop/<NONE>/later"
    `,
  });
  const inside = (aid: string, script: string) => engine.exec(aid, ['sh', '-c', script], [0, 2, 2]);
  t.is(await inside('parent', 'test -L /srv/shop && echo parent > /srv/shop/note && test "$(cat /var/kept/of-parent/shop/note)" = parent'), 0);
  t.is(await inside('parent', 'test ! -e /etc/deep/later && echo new > /etc/deep/later && test "$(cat /var/kept/of-parent/shop/nobody/later)" = new'), 0);
  await engine.snapshot('parent', { keepRunning: true, image: 'template', template: true });
  await engine.clone('template', ['a', 'b']);
  t.is(await inside('a', 'test "$(cat /srv/shop/note)" = parent && echo a > /srv/shop/note && test "$(cat /var/kept/of-a/shop/note)" = a && test "$(cat /var/kept/of-parent/shop/note)" = parent'), 0);
  t.is(await inside('b', 'test "$(cat /srv/shop/note)" = parent && test "$(cat /etc/deep/later)" = new'), 0);
  await engine.snapshot('a', { keepRunning: false });
  await engine.restore('a');
  t.is(await inside('a', 'test "$(cat /srv/shop/note)" = a'), 0);
});

test('inspect tells of each resource its class and why, from the records of the image', async (t) => {
  const { engine, launch } = await cloneFarm(t);
  const parent = await launch('parent', ['./twin', '/srv/twin/data'], { rules: `${rules}COPY MEMORY "twin"\n` });
  await twin(parent, 'set 1');
  await engine.snapshot('parent', { keepRunning: true, image: 'template' });
  const found = await engine.inspect('template') as unknown as { rules: object[]; resources: { type: string; identity: string; bytes: number; class: string; why: string }[] };
  const of = (type: string, identity = '') => found.resources.filter((one) => one.type === type && one.identity.includes(identity)).map((one) => one.class);
  t.deepEqual(of('memory', 'heap'), ['copy-on-write']);
  t.regex(found.resources.find(({ type }) => type === 'memory')?.why ?? '', /the rule in line 5 says so/);
  t.deepEqual(of('mapped file', '/mapped, shared'), ['copy-on-write']);
  t.true(of('mapped file', 'libc').every((one) => one === 'copy-on-write'));
  t.deepEqual(new Set(of('shared memory')), new Set(['duplicate']));
  t.deepEqual([of('semaphores'), of('message queue', 'System V'), of('message queue', 'POSIX queue /twin')], [['duplicate'], ['duplicate'], ['duplicate']]);
  t.deepEqual(new Set(of('pipe')), new Set(['duplicate']));
  t.deepEqual(new Set(of('socket')), new Set(['duplicate']));
  t.deepEqual(of('port', ':3000'), ['multiplex']);
  t.deepEqual(new Set(of('process')), new Set(['virtualize']));
  t.deepEqual([of('host name'), of('address'), of('random numbers')], [['allocate'], ['allocate'], ['allocate']]);
  t.deepEqual([of('path'), of('variable')], [['redirect'], ['virtualize']]);
  t.deepEqual(of('open file', '/srv/twin/<ID>/data'), ['redirect'], 'the reference is kept as it was written');
  t.deepEqual(of('files'), ['copy-on-write']);
  t.is(found.rules.length, 4);
});

test('a port that a rule keeps inside is virtualized because of that rule', async (t) => {
  const { engine, launch } = await cloneFarm(t);
  await launch('ports', ['node', '-e', 'for (const port of [3001, 9100, 3000]) require("net").createServer().listen(port)'], { rules: 'VIRTUALIZE PORT 9100\n' });
  await engine.snapshot('ports', { keepRunning: true, image: 'template' });
  const { resources } = await engine.inspect('template') as unknown as { resources: { type: string; identity: string; class: string; why: string }[] };
  const of = (port: string) => resources.find(({ type, identity }) => type === 'port' && identity.includes(port));
  t.is(of(':3000')?.class, 'multiplex');
  t.like(of(':9100'), { class: 'virtualize' });
  t.regex(of(':9100')?.why ?? '', /the rule in line 1 says so/);
  t.notRegex(of(':3001')?.why ?? '', /rule/);
});
