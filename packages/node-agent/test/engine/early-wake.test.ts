import { connect, type Socket } from 'node:net';
import { proc } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { testEngine, visit } from './support/test-engine.js';

/** Processes whose directory is the site's, as it is seen within the instance. */
const processesIn = (site: string): number[] => proc.pids().filter((pid) => pid !== process.pid && proc.link(pid, 'cwd') === site);

for (const name of ['node', 'nginx'] as const) {
  test(`${name}: a wake that was begun is only let go, and has all its memory`, async (t) => {
    const { engine, launch } = await testEngine(t);
    const expected = (count: number): RegExp => name === 'nginx' ? /^visit$/ : new RegExp(`^visit ${count}\\b`);
    let address: string, letGo = 0;
    ({ address } = await launch('early', name));
    t.regex(await visit({ address }), expected(1));
    for (let round = 2; round <= 4; round += 1) {
      await engine.snapshot('early', { keepRunning: false });
      const begun = await Promise.all([engine.beginWake('early'), engine.beginWake('early')]);
      const [ip, ...others] = begun.flatMap((one) => one.ip ?? []);
      t.deepEqual(others, [], 'one of the two has begun it');
      t.deepEqual((await engine.list()).running, []);
      const restored = await engine.restore('early');
      if (Object.keys(restored.phases).join() === 'fill') {
        t.is(restored.ip, ip);
        letGo += 1;
      }
      ({ address } = restored);
      t.regex(await visit({ address }), expected(round));
    }
    // Not all, perhaps: on a machine that stood still for two seconds one was given up, and begun anew.
    t.true(letGo > 0);
    // Of what runs there is nothing to begin.
    t.deepEqual(await engine.beginWake('early'), {});
    t.regex(await visit({ address }), expected(5));
  });
}

test('a wake that is begun and decided at the same time is one wake', async (t) => {
  const { engine, launch } = await testEngine(t);
  await visit(await launch('both', 'python'));
  for (let round = 2; round <= 6; round += 1) {
    await engine.snapshot('both', { keepRunning: false });
    const [running] = await Promise.all([engine.restore('both'), engine.beginWake('both')]);
    t.is(await visit(running), `visit ${round}`);
  }
  t.is((await engine.list()).running.length, 1);
});

test('a request waits in an instance that nobody has let go yet, and is answered as soon as it runs', async (t) => {
  const { engine, launch } = await testEngine(t);
  const { address } = await launch('ahead', 'node');
  await visit({ address });
  const port = address.slice(address.indexOf(':') + 1);
  await engine.snapshot('ahead', { keepRunning: false });
  let { ip } = await engine.beginWake('ahead');
  let isAnswered = false;
  const sockets = new Set<Socket>();
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  // Its listening socket is made first of all, but not before `beginWake` answers.
  const answer = waitUntil(() => new Promise<string | null>((resolve) => {
    const socket = connect({ host: ip!, port: Number(port) });
    sockets.add(socket);
    socket.once('error', () => resolve(null));
    socket.once('connect', () => socket.write('GET / HTTP/1.1\r\nhost: site\r\n\r\n'));
    socket.once('data', (bytes) => resolve(bytes.toString()));
  }), { what: 'an answer' }).finally(() => (isAnswered = true));
  await waitUntil(() => [...sockets].some((socket) => socket.bytesWritten > 0), { what: 'the request to be sent' });
  t.false(isAnswered);
  // On a machine so slow that it was given up meanwhile, it has another address.
  ({ ip } = await engine.restore('ahead'));
  t.regex((await answer)!, /visit 2\b/);
});

test('a wake that was begun and that nobody wants is given up, and the next one is as good', async (t) => {
  const { engine, launch, site } = await testEngine(t);
  await visit(await launch('unwanted', 'node'));
  await engine.snapshot('unwanted', { keepRunning: false });
  await waitUntil(() => processesIn(site).length === 0, { what: 'it to be gone' });
  // Begun again where it was given up before we looked.
  await waitUntil(async () => (await engine.beginWake('unwanted'), processesIn(site).length > 0), { what: 'its processes' });
  t.deepEqual((await engine.list()).running, []);
  await waitUntil(() => processesIn(site).length === 0, { what: 'it to be given up' });
  t.regex(await visit(await engine.restore('unwanted')), /^visit 2\b/);
});

test('what has no image, or a broken name, cannot be begun', async (t) => {
  const { engine } = await testEngine(t);
  await t.throwsAsync(engine.beginWake('nobody'), { message: /there is no image nobody/ });
  await t.throwsAsync(engine.beginWake('../x'), { message: /AID/ });
});
