import { setTimeout as delay } from 'node:timers/promises';
import { FarmError } from '@appshot/runtime';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { openEngine } from '../../src/engine/open-engine.js';
import { Peer } from './support/peer.js';
import { run, testEngine } from './support/test-engine.js';

const echo = { command: ['node', 'echo.mjs'] };
const ipOf = (address: string): string => address.split(':')[0] ?? '';

test('a connection from outside goes on over two sleeps, with what was said meanwhile', async (t) => {
  const { engine, launch } = await testEngine(t);
  const { address } = await launch('kept', 'node', echo);
  const peer = new Peer({ address });
  peer.say('before');
  await peer.hears('1 before');
  for (const round of [1, 2]) {
    const taken = await engine.snapshot('kept', { keepRunning: false });
    t.true(taken.keepsAddress);
    peer.say(`while it slept ${round}`);
    t.false(peer.isOver);
    // Others do not get the address in the meantime.
    const other = await launch(`other-${round}`, 'node', echo);
    t.not(other.address, address);
    const awake = await engine.restore('kept');
    t.is(awake.address, address);
    await peer.hears(`${round * 2} while it slept ${round}`);
    peer.say('after');
    await peer.hears(`${round * 2 + 1} after`);
    await engine.stop(`other-${round}`);
  }
  const newcomer = new Peer({ address });
  newcomer.say('hello');
  await newcomer.hears('1 hello');
  const inside = (script: string) => engine.exec('kept', ['sh', '-c', script], [0, 2, 2]);
  t.is(await inside(`grep -q '"ip":"${ipOf(address)}"' /run/appshot/instance.json`), 0);
  const prefix = ipOf(address).replace(/\d+$/, '').replaceAll('.', '[.]');
  t.is(await inside(`test "$(grep -o '${prefix}[0-9]*' /proc/net/fib_trie | sort -u)" = ${ipOf(address)}`), 0, 'it has no other address');
  for (const each of [peer, newcomer]) each.leave();
  await engine.stop('kept');
});

test('all that was on its way arrives, both ways, once', async (t) => {
  const { engine, launch } = await testEngine(t);
  const { address } = await launch('full', 'node', echo);
  const peer = new Peer({ address });
  peer.say('before');
  await peer.hears('1 before');
  peer.turnAway();
  const [heard, more] = [peer.bytes, 20_000_000];  // more than both kernels take
  peer.say(`give ${more}`);
  await waitUntil(async () => / [1-9]\d* +/.test((await run('ss', ['-tnH', 'dst', ipOf(address)])).stdout), { everyMs: 20, what: 'something to wait for the peer' });
  await engine.snapshot('full', { keepRunning: false });
  const long = 'x'.repeat(100_000);
  peer.say(long);
  await engine.restore('full');
  peer.listen();
  const all = heard + more + `3 ${long}\n`.length;
  await peer.hearsBytes(all);
  peer.say('after');
  await peer.hears('4 after');
  t.is(peer.bytes, all + '4 after\n'.length);
  peer.leave();
  await engine.stop('full');
});

test('the address is kept over the death of the keeper; without it the connection reads as reset', async (t) => {
  const { dir, site, engine, launch } = await testEngine(t);
  const { address } = await launch('kept', 'node', echo);
  const peer = new Peer({ address });
  peer.say('before');
  await peer.hears('1 before');
  await engine.snapshot('kept', { keepRunning: false });
  const { stdout } = await run('pgrep', ['-f', `appshot-keeper --dir ${dir}$`]);
  for (const pid of stdout.trim().split('\n').map(Number)) process.kill(pid, 'SIGKILL');

  const next = await openEngine({ dir });
  t.teardown(() => next.close());
  const other = await next.launch({ aid: 'other', ...echo, cwd: site, env: {}, volumes: [], port: 3000, readyWithinMs: patienceMs });
  t.not(other.address, address);
  t.is((await next.restore('kept')).address, address);
  peer.say('after');
  await peer.hears('2 after');

  await next.snapshot('kept', { keepRunning: false });
  await next.configure({ addresses: Array.from({ length: 5 }, (_, at) => `10.214.${process.pid & 255}.${at + 1}`), podsReady: 1, noOthers: true });
  const elsewhere = await next.restore('kept');
  t.not(elsewhere.address, address);
  await onlyOneIsConnected(elsewhere.address);
  peer.leave();
  for (const aid of ['kept', 'other']) await next.stop(aid);
});

test('a peer that has left in the meantime is found to be gone', async (t) => {
  const { engine, launch } = await testEngine(t);
  const { address } = await launch('left', 'node', echo);
  const peer = new Peer({ address });
  peer.say('before');
  await peer.hears('1 before');
  t.true((await engine.snapshot('left', { keepRunning: false })).keepsAddress);
  peer.leave();
  await engine.restore('left');
  await onlyOneIsConnected(address);
  await engine.stop('left');
});

test('a connection that was to be reset is over when the instance sleeps; so is one of a clone, and its parent keeps its own', async (t) => {
  const { engine, launch } = await testEngine(t);
  const { address } = await launch('reset', 'node', { ...echo, connections: 'reset' });
  const gone = new Peer({ address });
  gone.say('before');
  await gone.hears('1 before');
  t.false((await engine.snapshot('reset', { keepRunning: false })).keepsAddress);
  await gone.ends();
  const peer = new Peer(await engine.restore('reset'));
  peer.say('again');
  await peer.hears('1 again');
  await engine.snapshot('reset', { keepRunning: true, image: 'reset-template' });
  const [clone] = await engine.clone('reset-template', ['reset-clone']);
  await onlyOneIsConnected(clone!.address);
  peer.say('to the parent');
  await peer.hears('2 to the parent');
  peer.leave();
  for (const aid of ['reset-clone', 'reset']) await engine.stop(aid);
});

test('a clone that sleeps keeps its own connections; a template made of it has none', async (t) => {
  const { engine, launch } = await testEngine(t);
  const parent = new Peer(await launch('parent', 'node', echo));
  parent.say('to the parent');
  await parent.hears('1 to the parent');
  await engine.snapshot('parent', { keepRunning: true, image: 'template' });
  const [clone] = await engine.clone('template', ['clone']);
  const peer = new Peer(clone!);
  peer.say('to the clone');
  await peer.hears('1 to the clone');
  await engine.snapshot('clone', { keepRunning: false });
  const [second] = await engine.clone('clone', ['second']);
  await onlyOneIsConnected(second!.address);
  t.is((await engine.restore('clone')).address, clone!.address);
  peer.say('still to the clone');
  await peer.hears('2 still to the clone');
  parent.say('still to the parent');
  await parent.hears('2 still to the parent');
  for (const each of [parent, peer]) each.leave();
  for (const aid of ['second', 'clone', 'parent']) await engine.stop(aid);
});

test('a snapshot that is given up leaves connections as they are', async (t) => {
  const { engine, launch } = await testEngine(t);
  const { address } = await launch('cancelled', 'node', echo);
  const peer = new Peer({ address });
  peer.say('before');
  await peer.hears('1 before');
  const taken = engine.snapshot('cancelled', { keepRunning: false });
  const kind = await engine.cancelSnapshot('cancelled');
  await taken;
  t.true(kind === 'running' || kind === 'slept');
  if (kind === 'slept') await engine.restore('cancelled');
  peer.say('after');
  await peer.hears('2 after');
  peer.leave();
  await engine.stop('cancelled');
});

test('who gets in while it goes to sleep is answered, before it or after it', async (t) => {
  const { engine, launch } = await testEngine(t);
  const { address } = await launch('busy', 'node', echo);
  // For whose sake it comes back to its address each time.
  const peers = [new Peer({ address })];
  peers[0]!.say('knock');
  await peers[0]!.hears('1 knock');
  let isOn = true;
  t.teardown(() => { isOn = false; });
  // As many as the machine can take: each knocks again when it was let in, or has waited for a while.
  const knocking = Array.from({ length: 3 }, async () => {
    while (isOn) {
      const peer = new Peer({ address });
      peers.push(peer);
      peer.say('knock');
      await delay(7);
      for (let waits = 0; isOn && waits < 20 && !peer.isIn && !peer.isOver; waits += 1) await delay(10);
    }
  });
  let slept = 0;
  for (let round = 0; round < 60 && slept < 8; round += 1) {
    // While somebody waits to be accepted it does not sleep.
    const taken = await engine.snapshot('busy', { keepRunning: false }).catch((error: unknown) => {
      t.is(FarmError.from(error).code, 'unsupported-state');
      return null;
    });
    if (taken === null) continue;
    slept += 1;
    t.is((await engine.restore('busy')).address, address);
  }
  isOn = false;
  await Promise.all(knocking);
  await waitUntil(() => Promise.resolve(peers.every((peer) => peer.isIn || peer.isOver)), { what: 'each to get in or be turned away' });
  const got = peers.filter((peer) => peer.isIn);
  for (const peer of got) await peer.hears('1 knock');
  t.log(`${got.length} of ${peers.length} got in while it slept ${slept} times`);
  t.true(slept > 0 && got.length > 0);
  for (const peer of peers) peer.leave();
  await engine.stop('busy');
});

/** The program has noticed that all that it was connected to before has gone. */
async function onlyOneIsConnected(address: string): Promise<void> {
  const asker = new Peer({ address });
  const asking = setInterval(() => asker.say('connections?'), 50);
  await asker.hears('1 connections').finally(() => {
    clearInterval(asking);
    asker.leave();
  });
}
