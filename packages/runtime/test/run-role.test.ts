import test from 'ava';
import { waitUntil } from '../src/testing/index.js';
import { Program } from './support/program.js';

const started = (program: Program): Promise<unknown> => waitUntil(() => program.out.includes('\n'), { what: 'the ready line' });

test('a role says that it is ready, and ends in order on SIGTERM and on SIGINT', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const program = new Program('role');
    await started(program);
    t.deepEqual(JSON.parse(program.out), { ready: 'fixture', pid: program.child.pid, address: '127.0.0.1:1' });
    program.child.kill(signal);
    t.deepEqual(await program.ended, [0, null]);
    t.regex(program.err, /closed in order/);
  }
});

test('a role that cannot start says why and exits 1, without a ready line', async (t) => {
  const program = new Program('role', ['no-start']);
  t.deepEqual(await program.ended, [1, null]);
  t.is(program.out, '');
  t.regex(program.err, /the port is taken/);
});

test('what nobody caught ends the role with 1 and a log line', async (t) => {
  for (const [what, said] of [['throw-later', /thrown later/], ['reject-later', /rejected later/]] as const) {
    const program = new Program('role', [what]);
    t.deepEqual(await program.ended, [1, null]);
    t.regex(program.err, said);
  }
});

test('a second signal ends a role whose closing hangs', async (t) => {
  const program = new Program('role', ['slow-close']);
  await started(program);
  program.child.kill('SIGTERM');
  await waitUntil(() => program.err.includes('"ending"'), { what: 'the first signal to be heard' });
  program.child.kill('SIGTERM');
  t.deepEqual(await program.ended, [1, null]);
});
