import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { freePort } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import { copyOfExample, fixtureSite } from './support/app-file.js';
import { Farm } from './support/farm.js';
import { fixturesDir, programs, run } from './support/run-command.js';

const farm = new Farm();

test.before(async () => {
  await farm.up();
  await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name: 'good', lines: ['scale: { max: 1, idleMs: never }'] }));
});
test.after.always(() => farm.destroy());

let visits = 0;

/** What was there before goes on, and of what was refused nothing is left. */
async function nothingLost(t: ExecutionContext): Promise<void> {
  const reply = await farm.visit('good.test');
  t.deepEqual([reply.status, (JSON.parse(reply.body) as { visits: number }).visits], [200, visits += 1]);
  t.deepEqual((await farm.ask<{ spec: { name: string } }[]>('/apps')).map(({ spec }) => spec.name), ['good']);
}

async function refused(t: ExecutionContext, file: string, ...said: readonly RegExp[]): Promise<void> {
  const { status, stdout, stderr } = await farm.appshot('deploy', file);
  t.is(status, 1, stdout + stderr);
  for (const pattern of said) t.regex(stderr, pattern);
  const lines = stderr.split('\n').filter((line) => line !== '');
  t.deepEqual([...new Set(lines)], lines, 'each line is said once');
  await nothingLost(t);
}

test.serial('a broken app file is refused with every line that is wrong, and what is allowed there', async (t) => {
  const file = path.join(farm.dir, 'broken.yaml');
  writeFileSync(file, ['name: Broken Site', 'hosts: [broken.test]', 'command: [node, server.js]', 'port: 99999', 'scale:', '  maxx: 3', ''].join('\n'));
  await refused(t, file, /line 1: name/, /line 4: port.*\(allowed: .*65535\)/, /line 6: scale.*maxx.*max/);
});

test.serial('a file that is no YAML, and one that is not there, are told apart', async (t) => {
  const file = path.join(farm.dir, 'no.yaml');
  writeFileSync(file, 'name: a\nhosts: [a.test\ncommand: [x]\n');
  await refused(t, file, /line \d+/);
  const { status, stderr } = await farm.appshot('deploy', path.join(farm.dir, 'nowhere.yaml'));
  t.is(status, 2);
  t.regex(stderr, /nowhere\.yaml cannot be read: there is no such file/);
});

test.serial('a host name that is taken is refused, and its owner named', async (t) => {
  const file = fixtureSite(farm.dir, ['node', 'who.mjs'], { name: 'thief' });
  writeFileSync(file, readFileSync(file, 'utf8').replace('thief.test', 'good.test'));
  await refused(t, file, /good\.test belongs to the app "good"/);
});

test.serial('a command that does not exist is named', async (t) => {
  await refused(t, fixtureSite(farm.dir, ['no-such-program', '--serve'], { name: 'missing' }), /no-such-program/);
});

test.serial('a program that never becomes ready is ended, and what it printed is told', async (t) => {
  const file = fixtureSite(farm.dir, ['sh', '-c', 'echo waiting for a database; exec sleep 1000'], { name: 'never', lines: ['ready: { withinMs: 700 }'] });
  await refused(t, file, /700 ms/, /waiting for a database/);
});

test.serial('a program that ends at once is told with its status and its last words', async (t) => {
  const file = fixtureSite(farm.dir, ['sh', '-c', 'echo no database >&2; exit 3'], { name: 'ends' });
  await refused(t, file, /3/, /no database/);
});

test.serial('a new version that does not start leaves the old one serving, with its memory', async (t) => {
  await refused(t, copyOfExample(farm.dir, 'node-counter', { name: 'good' }, { 'server.js': 'no-such-file.js' }), /no-such-file\.js/);
});

test.serial('wrong usage ends with 2, an unknown app with 1, an unknown host with 404', async (t) => {
  t.is((await farm.appshot('deploy')).status, 2);
  t.is((await farm.appshot('clone', 'good', '--count', 'many')).status, 2);
  const unknown = await farm.appshot('wake', 'nobody', '--json');
  t.is(unknown.status, 1);
  t.is((JSON.parse(unknown.stderr) as { error: { code: string } }).error.code, 'not-found');
  const reply = await farm.visit('nobody.test');
  t.is(reply.status, 404);
  t.regex(reply.body, /nobody\.test/);
  t.is((await run(process.execPath, [programs.appshot, 'ps', '--api', 'http://127.0.0.1:1'])).status, 1);
});

test.serial('a port in use is named by `up`, with the process that has it', async (t) => {
  const port = await freePort();
  const server = createServer().listen(port, '127.0.0.1');
  t.teardown(() => { server.close(); });
  const { status, stderr } = await run(process.execPath, [programs.appshot, 'up', '--dir', path.join(farm.dir, 'second'), '--http', `127.0.0.1:${port}`, '--api', `127.0.0.1:${await freePort()}`]);
  t.is(status, 1);
  t.regex(stderr, new RegExp(`port ${port} .*in use.*pid ${process.pid}`));
});

test.serial('a second farm in the same folder is refused', async (t) => {
  const { status, stderr } = await run(process.execPath, [programs.appshot, 'up', '--dir', farm.dir, '--http', `127.0.0.1:${await freePort()}`, '--api', `127.0.0.1:${await freePort()}`]);
  t.is(status, 1);
  t.regex(stderr, /runs in .* already/);
  await nothingLost(t);
});

test.serial('a program with an io_uring is not put to sleep: the resource is named, and it runs on', async (t) => {
  const program = path.join(farm.dir, 'uring-site');
  const compiled = await run('cc', ['-O1', '-o', program, path.join(fixturesDir, 'uring-site.c')]);
  t.is(compiled.status, 0, compiled.stderr);
  const volume = ['volumes: ["' + farm.dir + '/uring-site:/opt/uring-site"]', 'asyncIo: true', 'ready: { withinMs: 60000 }', 'scale: { idleMs: never }'];
  await farm.deploy(fixtureSite(farm.dir, ['/opt/uring-site'], { name: 'ring', lines: volume }));
  t.is((await farm.visit('ring.test')).body, 'visit 1\n');
  const { status, stderr } = await farm.appshot('sleep', 'ring');
  t.is(status, 1);
  t.regex(stderr, /fd \d+ is an io_uring; not supported/);
  t.is((await farm.visit('ring.test')).body, 'visit 2\n');
  t.is((await farm.instanceOf('ring')).state, 'ready');
  t.is((await farm.appshot('remove', 'ring')).status, 0);
  await nothingLost(t);
});
