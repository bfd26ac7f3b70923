import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { KeeperConnection, keeperProgram } from '@appshot/native';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { run, testEngine } from './support/test-engine.js';

const nothing = (): void => undefined;
type Loose = new (...parameters: unknown[]) => { connect(): Promise<void>; call(...parameters: unknown[]): Promise<string>; close(): void };
const LooseConnection = KeeperConnection as unknown as Loose;

test('a connection is not made of wrong types', (t) => {
  for (const parameters of [[], [1, 2, 3, 4], ['dir', keeperProgram], ['dir', keeperProgram, nothing], ['dir', keeperProgram, {}, nothing]]) {
    t.throws(() => new LooseConnection(...parameters), { instanceOf: TypeError });
  }
});

test('calls with wrong types throw at once; calls before connecting are refused', async (t) => {
  const connection = new LooseConnection('/nowhere', keeperProgram, nothing, nothing);
  for (const parameters of [[], ['list'], [1, '{}'], ['list', {}], ['list', '{}', 'fds'], ['list', '{}', ['0']]]) {
    t.throws(() => connection.call(...parameters), { instanceOf: TypeError });
  }
  t.throws(() => connection.call('list', '{}', [0, 1, 2, 3, 4, 5, 6, 7, 8]), { instanceOf: RangeError });
  await t.throwsAsync(connection.call('list', '{}'), { code: 'unavailable' });
  connection.close();
});

test('what the keeper does not know is refused, and the connection goes on', async (t) => {
  const { dir } = await testEngine(t);
  const connection = new LooseConnection(dir, keeperProgram, nothing, nothing);
  await connection.connect();
  await t.throwsAsync(connection.call('no-such-method', '{}'), { code: 'bad-request', message: /no-such-method/ });
  await t.throwsAsync(connection.call('ps', '{"aid":"x","more":1}'), { code: 'bad-request', message: /'more'/ });
  await t.throwsAsync(connection.call('list', '{"more":1}'), { code: 'bad-request', message: /'more'/ });
  for (const params of ['[]', '1', '"x"', '{"aid":1}', '{"aid":"a\\u0000b"}', '{"aid":"../up"}', `{"aid":"${'x'.repeat(100_000)}"}`]) {
    await t.throwsAsync(connection.call('ps', params), { code: 'bad-request' });
  }
  await t.throwsAsync(connection.call('list', 'not json'), { code: 'bad-request' });
  await t.throwsAsync(connection.call('list', `"${'x'.repeat(9 << 20)}"`), { code: 'bad-request', message: /too long/ });
  await t.throwsAsync(connection.call('exec', '{"aid":"x","command":["true"]}', [12_345]), { code: 'bad-request' });
  t.deepEqual(JSON.parse(await connection.call('list', '{}')).running, []);
  const many = await Promise.all(Array.from({ length: 200 }, () => connection.call('list', '{}')));
  t.is(many.length, 200);
  connection.close();
  connection.close();
  await t.throwsAsync(connection.call('list', '{}'), { code: 'unavailable' });
});

test('a keeper that dies rejects what was asked of it', async (t) => {
  const { dir, launch } = await testEngine(t);
  await launch('waiting', 'c');
  let closed = '';
  const connection = new LooseConnection(dir, keeperProgram, nothing, (code: string) => { closed = code; });
  await connection.connect();
  const guest = connection.call('exec', '{"aid":"waiting","command":["sleep","1000"]}', [0, 1, 2]);
  await waitUntil(async () => (JSON.parse(await connection.call('ps', '{"aid":"waiting"}')) as unknown[]).length === 2);
  const { stdout } = await run('pgrep', ['-f', `appshot-keeper --dir ${dir}$`]);
  for (const pid of stdout.trim().split('\n').map(Number)) process.kill(pid, 'SIGKILL');
  await t.throwsAsync(guest, { code: 'unavailable' });
  await waitUntil(() => closed === 'unavailable');
});

test('a worker that ends with its connection open takes it along, and the process goes on', async (t) => {
  const { dir, engine } = await testEngine(t);
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.native).then(async ({ KeeperConnection, keeperProgram }) => {
      globalThis.connection = new KeeperConnection(workerData.dir, keeperProgram, () => {}, () => {});
      await globalThis.connection.connect();
      void globalThis.connection.call('list', '{}');
      parentPort.postMessage('connected');
    });`;
  for (let round = 0; round < 3; round += 1) {
    const worker = new Worker(program, { eval: true, workerData: { dir, native: import.meta.resolve('@appshot/native') } });
    await once(worker, 'message');
    t.is(await worker.terminate(), 1);
  }
  t.deepEqual((await engine.list()).running, []);
});

test('what a listener throws is thrown where nothing can catch it, and the connection goes on', async (t) => {
  const { dir, launch, engine } = await testEngine(t);
  const program = `
    import { openEngine } from ${JSON.stringify(import.meta.resolve('../../dist/engine/open-engine.js'))};
    const engine = await openEngine({ dir: ${JSON.stringify(dir)} });
    process.once('uncaughtException', async ({ message }) => {
      await engine.list();
      process.stdout.write(message, () => process.exit(7));
    });
    engine.onEvent(() => { throw new Error('of the listener'); });
    process.stdout.write('ready ');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => { said += bytes.toString(); });
  await waitUntil(() => said !== '');
  await launch('ending', 'c');
  await engine.kill('ending', 'KILL');
  t.deepEqual([(await ended)[0], said], [7, 'ready of the listener']);
});

test('no keeper where none can be', async (t) => {
  await t.throwsAsync(new LooseConnection('/proc/nowhere', keeperProgram, nothing, nothing).connect(), { message: /\/proc\/nowhere/ });
  await t.throwsAsync(new LooseConnection('/tmp/never', '/no/such/keeper', nothing, nothing).connect(), { message: /\/no\/such\/keeper/ });
  await t.throwsAsync(new LooseConnection(`/tmp/${'x'.repeat(200)}`, keeperProgram, nothing, nothing).connect(), { code: 'bad-request' });
});
