import test from 'ava';
import { OperationBoard } from '../../src/agent/operation-board.js';

const aid = 'a0000000000001';

function door(): { open: () => void; opened: Promise<void> } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => { open = resolve; });
  return { open, opened };
}

test('an operation sent twice runs once, and the late copy gets the same answer', async (t) => {
  const board = new OperationBoard();
  const gate = door();
  let runs = 0;
  const restore = () => board.run({ aid, verb: 'restore', epoch: 5 }, async () => {
    runs += 1;
    await gate.opened;
    return { run: runs };
  });
  const both = [restore(), restore()];
  gate.open();
  t.deepEqual(await Promise.all(both), [{ run: 1 }, { run: 1 }]);
  t.deepEqual(await restore(), { run: 1 });
  t.is(runs, 1);
});

test('a failed operation may be tried again', async (t) => {
  const board = new OperationBoard();
  const key = { aid, verb: 'snapshot', epoch: 5 };
  await t.throwsAsync(board.run(key, async () => { throw new Error('disk full'); }));
  t.is(await board.run(key, async () => 'saved'), 'saved');
});

test('operations of one instance follow each other, those of others do not wait', async (t) => {
  const board = new OperationBoard();
  const gate = door();
  const order: string[] = [];
  const slow = board.run({ aid, verb: 'snapshot', epoch: 1 }, async () => { await gate.opened; order.push('snapshot'); });
  const next = board.run({ aid, verb: 'restore', epoch: 2 }, async () => { order.push('restore'); });
  await board.run({ aid: 'a0000000000002', verb: 'launch', epoch: 1 }, async () => { order.push('other'); });
  gate.open();
  await Promise.all([slow, next]);
  t.deepEqual(order, ['other', 'snapshot', 'restore']);
});

test('what ends an operation does not wait for it, and what comes after waits for both', async (t) => {
  const board = new OperationBoard();
  const gate = door();
  const order: string[] = [];
  const launch = board.run({ aid, verb: 'launch', epoch: 1 }, async () => { await gate.opened; order.push('launch'); });
  const stop = board.run({ aid, verb: 'stop', epoch: 2 }, async () => { order.push('stop'); }, { urgent: true });
  const after = board.run({ aid, verb: 'restore', epoch: 3 }, async () => { order.push('restore'); });
  await stop;
  gate.open();
  await Promise.all([launch, after]);
  t.deepEqual(order, ['stop', 'launch', 'restore']);
  t.is(board.running, 0);
});
