import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import test from 'ava';
import { freePort } from '../src/index.js';
import { patienceMs, startNats, startRedis, waitUntil } from '../src/testing/index.js';
import { Program } from './support/program.js';

/** One command and its answer, as text. */
function ask(port: number, command: string, withinMs = patienceMs): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(command));
    socket.once('data', (chunk) => { socket.destroy(); resolve(chunk.toString()); });
    socket.once('error', reject);
    socket.setTimeout(withinMs, () => { socket.destroy(); resolve('silence'); });
  });
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a killed Redis comes back on the same port with its data', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  t.is(await ask(redis.port, 'SET k v\r\n'), '+OK\r\n');
  const { pid } = redis;
  await redis.kill();
  t.is(redis.pid, undefined);
  await t.throwsAsync(ask(redis.port, 'PING\r\n'));
  await redis.start();
  t.not(redis.pid, pid);
  t.is(await ask(redis.port, 'GET k\r\n'), '$1\r\nv\r\n');
  redis.pause();
  t.is(await ask(redis.port, 'PING\r\n', 500), 'silence');
  redis.resume();
  t.is(await ask(redis.port, 'PING\r\n'), '+PONG\r\n');
});

test('a Redis without a log of its writes comes back as it was saved', async (t) => {
  const redis = await startRedis({ persistence: 'rdb' });
  t.teardown(() => redis.stop());
  await ask(redis.port, 'SET k saved\r\n');
  t.is(await ask(redis.port, 'SAVE\r\n'), '+OK\r\n');
  await ask(redis.port, 'SET k lost\r\n');
  await redis.restart();
  t.is(await ask(redis.port, 'GET k\r\n'), '$5\r\nsaved\r\n');
});

test('servers end when the process that started them is killed', async (t) => {
  const program = new Program('with-servers');
  await waitUntil(() => program.out.includes('\n'), { what: 'both servers' });
  const { pids, dirs } = JSON.parse(program.out) as { pids: number[]; dirs: string[] };
  t.teardown(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))));
  t.true(pids.every(isAlive));
  program.child.kill('SIGKILL');
  await waitUntil(() => !pids.some(isAlive), { what: 'both servers to end' });
});

test('stopping twice does no harm', async (t) => {
  const nats = await startNats();
  await nats.stop();
  await nats.stop();
  t.is(nats.pid, undefined);
});

test('a free port can be listened on', async (t) => {
  const port = await freePort();
  t.true(port >= 12_000 && port < 32_000);
});
