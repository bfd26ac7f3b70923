import { proc } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import type { KeeperEngine } from '../../src/engine/keeper-engine.js';
import { ask, expectOk, type VictimFarm } from './victim-farm.js';

/**
 * Wakes `name` with nobody at work who could fill its memory, asks, and kills him who should have: the instance has to end without an
 * answer, and to wake whole the next time. @returns what went wrong
 */
export function loseFiller(farm: VictimFarm, name: string): Promise<string> {
  return farm.with(name, async (engine, running) => {
    await expectOk('launched', running);
    await engine.snapshot(name, { keepRunning: false });
    const filler = await farm.fillerPid();
    process.kill(filler, 'SIGSTOP');
    const ended = endOf(engine, name);
    const answered = answerOf((await engine.restore(name)).address);
    process.kill(filler, 'SIGKILL');
    expectNone(await answered);
    await ended;
    await expectOk('woken again', await engine.restore(name));
  });
}

/**
 * Kills him who fills the memory of `name` while a child, forked since the wake, waits for a page of it: the child has to wait until it
 * is ended, for however long, and the instance to wake whole the next time. @returns what went wrong
 */
export function loseFillerOfChild(farm: VictimFarm, name: string): Promise<string> {
  return farm.with(name, async (engine, running) => {
    await expectOk('launched', running);
    const { filler, child, init, answered } = await catchMissingChild(farm, engine, name);
    const ended = endOf(engine, name);
    // The init would end them all at once. While it cannot, nothing but its duplicates keeps zeros away.
    process.kill(init, 'SIGSTOP');
    try {
      process.kill(filler, 'SIGKILL');
      await waitUntil(() => hasLetGo(filler), { what: 'the filler to be gone' });
      if (!isMissing(child)) throw new Error(`the child went on without its memory: it is ${stateOf(child)}`);
    } finally {
      process.kill(init, 'SIGCONT');
    }
    expectNone(await answered);
    await ended;
    await expectOk('woken again', await engine.restore(name));
  });
}

interface Caught { readonly filler: number; readonly child: number; readonly init: number; readonly answered: Promise<string> }

/** Wakes and asks until the filler could be stopped while a child still misses memory: it takes a few tenths of a second to have all. */
async function catchMissingChild(farm: VictimFarm, engine: KeeperEngine, name: string): Promise<Caught> {
  for (let triesLeft = 50; triesLeft > 0; triesLeft -= 1) {
    await engine.snapshot(name, { keepRunning: false });
    const [filler, awake] = [await farm.fillerPid(), await engine.restore(name)];
    let isAnswered = false;
    const answered = answerOf(awake.address).finally(() => { isAnswered = true; });
    const child = await waitUntil(() => childOf(awake.pid) ?? isAnswered, { everyMs: 1, what: 'a child of the victim' });
    process.kill(filler, 'SIGSTOP');
    await waitUntil(() => threadsOf(filler).every((state) => state === 'T'), { everyMs: 1, what: 'the filler to stand still' });
    if (child !== true && await waitUntil(() => isMissing(child) || hasLetGo(child) && 'no', { everyMs: 1, what: 'the child to miss a page' }) === true)
      return { filler, child, init: parentOf(awake.pid), answered };
    process.kill(filler, 'SIGCONT');
    await answered;
  }
  throw new Error('its memory was always there before its child could be looked at');
}

const endOf = (engine: KeeperEngine, name: string): Promise<string> =>
  new Promise((resolve) => engine.onEvent((event) => { if (event.aid === name) resolve(event.kind); }));

const answerOf = (address: string): Promise<string> => ask(address).catch((error: unknown) => `no answer: ${String(error)}`);

function expectNone(answer: string): void {
  if (!/^no answer|without an answer$/.test(answer)) throw new Error(`it answered from memory that was not there: ${answer}`);
}

const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)$/m.exec(proc.text(pid, 'status'))?.[1]);

const childOf = (pid: number): number | undefined => proc.text(pid, `task/${pid}/children`).split(' ').filter((text) => text !== '').map(Number)[0];

/** One letter; '' when there is no such process. */
const stateOf = (pid: number, tid: number | string = pid): string => /^State:\s+(\w)/m.exec(proc.text(pid, `task/${tid}/status`))?.[1] ?? '';

const threadsOf = (pid: number): string[] => proc.entries(pid, 'task').map((tid) => stateOf(pid, tid));

/** It holds nothing any more: no thread of it is left, but for the first as a zombie. */
const hasLetGo = (pid: number): boolean => threadsOf(pid).every((state) => state === 'Z' || state === '');

/** It waits for a page that only a userfaultfd can give it. */
const isMissing = (pid: number): boolean => /[SD]/.test(stateOf(pid)) && proc.text(pid, 'wchan').includes('userfault');
