import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import type { KeeperEngine } from '../../src/engine/keeper-engine.js';
import { testEngine, visit } from './support/test-engine.js';

test('an instance that a signal has stopped stays so over sleeps, clones and parking, and goes on when it is continued', async (t) => {
  const { engine, launch } = await testEngine(t);
  const stands = (aid: string) => awaitState(engine, aid, 'T');
  t.regex(await visit(await launch('stopped', 'c')), /^visit 1\b/);
  // Where it waits: one that was stopped while it computed cannot be cloned.
  await awaitState(engine, 'stopped', 'S');
  await engine.kill('stopped', 'STOP');
  await stands('stopped');
  for (let round = 1; round <= 2; round += 1) {
    await engine.snapshot('stopped', { keepRunning: false });
    await engine.restore('stopped');
    await stands('stopped');
  }
  await engine.snapshot('stopped', { keepRunning: true, image: 'template' });
  await stands('stopped');
  await engine.park('stopped');
  const awake = await engine.unpark('stopped');
  await stands('stopped');
  const [clone] = await engine.clone('template', ['clone']);
  await stands('clone');
  for (const one of [{ ...awake, aid: 'stopped' }, clone!]) {
    await engine.kill(one.aid, 'CONT');
    t.regex(await visit(one), /^visit 2\b/);
  }
});

async function awaitState(engine: KeeperEngine, aid: string, state: string): Promise<void> {
  await waitUntil(async () => (await engine.ps(aid))[0]?.state === state, { everyMs: 20, what: `${aid} to be in state ${state}` });
}
