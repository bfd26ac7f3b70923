import path from 'node:path';
import test from 'ava';
import { run, testEngine, visit } from './support/test-engine.js';

const shotProgram = path.join(import.meta.dirname, '../../bin/shot.js');

interface Outcome { readonly code: number; readonly stdout: string; readonly stderr: string }

const shotIn = (dir: string, cwd: string) => async (...args: string[]): Promise<Outcome> => {
  try {
    return { code: 0, ...(await run(process.execPath, [shotProgram, ...args], { cwd, env: { ...process.env, APPSHOT_DIR: dir } })) };
  } catch (error) {
    return error as Outcome;
  }
};

test('a whole life by the command', async (t) => {
  const { dir, site } = await testEngine(t);
  const shot = shotIn(dir, site);
  const json = async (...args: string[]): Promise<unknown> => JSON.parse((await shot(...args, '--json')).stdout);
  const { code, stdout, stderr } = await shot('launch', '--aid', 'A', '--port', '3000', '--json', '--', 'node', 'counter.mjs');
  t.is(code, 0, stderr);
  const launched = JSON.parse(stdout) as { aid: string; pid: number; address: string; phases: Record<string, number> };
  t.deepEqual(Object.keys(launched), ['aid', 'pid', 'address', 'phases']);
  t.regex(await visit(launched), /^visit 1/);
  t.like(await json('ps', 'A'), [{ pid: launched.pid, comm: 'node' }]);
  t.is((await shot('exec', 'A', '--', 'sh', '-c', 'echo out; exit 7')).code, 7);
  t.is((await shot('exec', 'A', '--', 'sh', '-c', 'echo out')).stdout, 'out\n');
  const clones = await json('clone', 'A', '--count', '2') as { aid: string; address: string }[];
  t.deepEqual(clones.map(({ aid }) => aid), ['A-1', 'A-2']);
  for (const clone of clones) t.regex(await visit(clone), /^visit 2/);
  t.deepEqual((await json('clone', 'A') as { aid: string }[]).map(({ aid }) => aid), ['A-3']);
  t.like(await json('snapshot', 'A'), { aid: 'A', image: 'A', cancelled: false });
  t.like(await json('inspect', 'A'), { kind: 'image' });
  t.regex(await visit(await json('restore', 'A') as { address: string }), /^visit 2/);
  t.is((await shot('kill', '-s', 'TERM', 'A-1')).code, 0);
  for (const aid of ['A', 'A-2', 'A-3']) t.deepEqual(await json('stop', aid), { aid, exited: true });
  t.deepEqual(await json('stop', 'A'), { aid: 'A', exited: false });
  t.is((await shot('rm', 'A')).code, 0);
});

test('exit codes and messages of what goes wrong', async (t) => {
  const { dir, site } = await testEngine(t);
  const shot = shotIn(dir, site);
  t.is((await shot('--help')).code, 0);
  t.is((await shot('launch', '--help')).code, 0);
  t.is((await shot('no-such-command')).code, 2);
  t.is((await shot('launch', '--', 'true')).code, 2);
  t.is((await shot('launch', '--aid', 'x', '--port', '99999', '--', 'true')).code, 2);
  t.is((await shot('launch', '--aid', 'x y', '--', 'true')).code, 2);
  t.like(await shot('ps', 'nobody'), { code: 1, stderr: 'shot: no instance nobody runs here\n' });
  const { code, stderr } = await shot('launch', '--json', '--aid', 'x', '--port', '3000', '--', 'sh', '-c', 'echo why; exit 1');
  t.is(code, 1);
  t.like(JSON.parse(stderr), { error: { code: 'exited-early', facts: { status: 1, lastLines: 'why\n' } } });
});
