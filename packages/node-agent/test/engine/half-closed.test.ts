import test from 'ava';
import { waitUntil } from '@appshot/runtime/testing';
import { Peer } from './support/peer.js';
import { testEngine } from './support/test-engine.js';

/** include/net/tcp_states.h */
const states = { finWait1: '4', finWait2: '5', closeWait: '8', lastAck: '9', closing: '11' } as const;

test('connections that one side has ended, or both while data is under way, go on over two sleeps', async (t) => {
  const { engine, launch } = await testEngine(t);
  const { address } = await launch('halves', 'python', { command: ['/usr/bin/python3', 'halves.py'] });
  const control = await named(address, 'control');
  const ask = async (command: string, answer: string) => {
    control.say(command);
    await control.hears(`${command}: ${answer}`);
  };
  const answerTo = async (command: string): Promise<string> => {
    control.forget();
    control.say(command);
    return await waitUntil(() => Promise.resolve(new RegExp(`^${command}: (.*)\n`, 'm').exec(control.text)?.[1]), { everyMs: 10, what: `an answer to ${command}` });
  };
  const isIn = async (name: string, state: string) => {
    await waitUntil(async () => await answerTo(`state ${name}`) === state, { everyMs: 20, what: `${name} to be in state ${state}` });
  };
  const [peerEnded, ended, giving, last, crossed] = await Promise.all(['peerEnded', 'ended', 'giving', 'last', 'crossed'].map((name) => named(address, name)));
  const given: Record<string, number> = {};

  peerEnded!.say('my last word');
  peerEnded!.end();
  await isIn('peerEnded', states.closeWait);
  await ask('shut ended', 'done');
  await isIn('ended', states.finWait2);
  for (const peer of [giving, last, crossed]) peer!.turnAway();
  last!.end();
  await isIn('last', states.closeWait);
  for (const name of ['giving', 'last', 'crossed']) {
    given[name] = `hello ${name}\n`.length + Number(await answerTo(`fill ${name}`));
    await ask(`shut ${name}`, 'done');
  }
  crossed!.end();
  const expected = { peerEnded: states.closeWait, ended: states.finWait2, giving: states.finWait1, last: states.lastAck, crossed: states.closing };
  for (const [name, state] of Object.entries(expected)) await isIn(name, state);

  for (let round = 1; round <= 2; round += 1) {
    t.true((await engine.snapshot('halves', { keepRunning: false })).keepsAddress);
    if (round === 1) ended!.say('while it slept');
    t.is((await engine.restore('halves')).address, address);
    for (const [name, state] of Object.entries(expected)) await isIn(name, state);
  }

  await ask('read peerEnded 100', 'my last word');
  await ask('send peerEnded 5', 'done');
  await peerEnded!.hears('yyyyy', { line: false });
  await ask('shut peerEnded', 'done');
  await peerEnded!.ends();
  await ask('read ended 15', 'while it slept');
  ended!.say('and after');
  ended!.end();
  await ask('read ended 100', 'and after');
  await ended!.ends();
  for (const peer of [giving, last, crossed]) peer!.listen();
  await giving!.hearsBytes(given['giving']!);
  await last!.hearsBytes(given['last']!);
  await crossed!.hearsBytes(given['crossed']!);
  giving!.end();
  for (const peer of [giving, last, crossed]) await peer!.ends();
  for (const peer of [peerEnded, ended, giving, last, crossed]) t.is(peer!.error, '');
  t.deepEqual([giving, last, crossed].map((peer) => peer!.bytes), ['giving', 'last', 'crossed'].map((name) => given[name]));
  await ask('read crossed 100', '');
  await ask('read last 100', '');
  control.leave();
  await engine.stop('halves');
});

async function named(address: string, name: string): Promise<Peer> {
  const peer = new Peer({ address }, { allowHalfOpen: true });
  peer.say(name);
  await peer.hears(`hello ${name}`);
  return peer;
}
