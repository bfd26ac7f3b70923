import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, startNats, startRedis } from '@appshot/runtime/testing';
import { run as runScheduler } from '@appshot/scheduler';
import test from 'ava';

// The command as it is installed, over what was built.
const command = fileURLToPath(new URL('../bin/appshot.js', import.meta.url));

interface Ended { status: number | null; out: string; err: string }

function appshot(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, APPSHOT_LOG: 'silent' } });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => { out += chunk; });
    child.stderr.on('data', (chunk) => { err += chunk; });
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

let api: string;
let close: () => Promise<void>;

test.before(async () => {
  const [redis, nats, port] = await Promise.all([startRedis(), startNats(), freePort()]);
  const scheduler = await runScheduler({ redisUrl: redis.url, natsUrl: nats.url, api: `127.0.0.1:${port}` });
  api = `http://127.0.0.1:${port}`;
  close = async () => {
    await scheduler.close();
    await Promise.all([redis.stop(), nats.stop()]);
  };
});

test.after.always(() => close());

test('help names every verb of the design', async (t) => {
  const { status, out } = await appshot('--help');
  t.is(status, 0);
  for (const verb of ['up', 'gateway', 'scheduler', 'agent', 'deploy', 'remove', 'apps', 'ps', 'nodes', 'wake', 'sleep', 'clone', 'move', 'template', 'inspect', 'rids', 'logs', 'events', 'top']) {
    t.regex(out, new RegExp(`^  ${verb}\\b`, 'm'));
  }
});

test('wrong usage is exit code 2, a failure is 1', async (t) => {
  const [unknown, missing, badCount, badApi, nobody] = await Promise.all([
    appshot('fly'), appshot('wake'), appshot('clone', 'shop', '--count', 'x'), appshot('ps', '--api', 'nonsense'), appshot('ps', '--api', 'http://127.0.0.1:1'),
  ]);
  t.deepEqual([unknown, missing, badCount, badApi, nobody].map(({ status }) => status), [2, 2, 2, 2, 1]);
  t.regex(unknown.err, /unknown command 'fly'/);
  t.regex(nobody.err, /no farm answers at http:\/\/127\.0\.0\.1:1: is "appshot up" running\?/);
});

test('an empty farm lists nothing, as JSON and as a table', async (t) => {
  const [json, table, nodes] = await Promise.all([appshot('ps', '--json', '--api', api), appshot('ps', '--api', api), appshot('nodes', '--json', '--api', api)]);
  t.deepEqual(JSON.parse(json.out), []);
  t.regex(table.out, /^AID +APP +STATE +TIER +NODE/);
  t.deepEqual(JSON.parse(nodes.out), []);
});

test('what the farm refuses is told with its reason, for people and as JSON', async (t) => {
  const [wake, move, json] = await Promise.all([
    appshot('wake', 'nobody', '--api', api), appshot('move', 'a0000000000001', '--to', 'n2', '--api', api), appshot('wake', 'nobody', '--json', '--api', api),
  ]);
  t.is(wake.status, 1);
  t.regex(wake.err, /^appshot: .*nobody/m);
  t.regex(move.err, /moving needs a farm of several nodes/);
  t.is((JSON.parse(json.err) as { error: { code: string } }).error.code, 'not-found');
});

test('a broken app file is refused with each line and what is allowed there', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-cli-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'app.yaml');
  writeFileSync(file, 'name: shop\nhosts: [shop.localhost]\ncommand: [node]\ncwd: .\nport: many\ncolour: red\n');
  const [broken, absent] = await Promise.all([appshot('deploy', file, '--api', api), appshot('deploy', path.join(dir, 'none.yaml'), '--api', api)]);
  t.is(broken.status, 1);
  t.regex(broken.err, /line 5: port/);
  t.regex(broken.err, /line 6: /);
  t.is(absent.status, 2);
  t.regex(absent.err, /there is no such file/);
});

test('up refuses a port in use by its number and its owner, and leaves nothing behind', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-cli-up-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const port = await freePort();
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => { server.close(); });
  const { status, err } = await appshot('up', '--dir', dir, '--http', `127.0.0.1:${port}`);
  t.is(status, 1);
  t.regex(err, new RegExp(`port ${port} on 127.0.0.1 is in use by .*\\(pid ${process.pid}\\): give another by --http`));
});
