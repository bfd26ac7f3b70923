import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLogger, FarmError } from '@appshot/runtime';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import { ChildPids } from '../src/up/child-pids.js';
import { ChildRole } from '../src/up/child-role.js';
import { identityOf, isAlive } from '../src/up/process-identity.js';

const logger = createLogger('test', {});
logger.level = 'silent';

interface Fixture { dir: string; pids: ChildPids; told: string[]; deaths: number[]; child: (script: string) => ChildRole }

function fixture(t: ExecutionContext): Fixture {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-child-'));
  const run = path.join(dir, 'run');
  mkdirSync(run);
  const pids = new ChildPids(run);
  const told: string[] = [];
  const deaths: number[] = [];
  const child = (script: string): ChildRole => {
    const role = new ChildRole({
      name: 'role', command: [process.execPath, '-e', script], env: { ROLE_SECRET: 'known' }, logFile: path.join(dir, 'role.log'),
      whenReady: async ({ firstLine }) => { await firstLine; },
    }, { pids, logger, events: { died: (_, how) => { told.push(`died: ${how}`); deaths.push(performance.now()); }, restarted: () => told.push('restarted') } });
    t.teardown(async () => {
      await role.stop(patienceMs);
      rmSync(dir, { recursive: true, force: true });
    });
    return role;
  };
  return { dir, pids, told, deaths, child };
}

const runsUntilTerm = 'process.on("SIGTERM", () => process.exit(0)); console.log(process.env.ROLE_SECRET); setInterval(() => {}, 1000);';

test('a child that is killed is started again, and that is told', async (t) => {
  const { told, child } = fixture(t);
  const role = child(runsUntilTerm);
  await role.start();
  const first = role.pid as number;
  process.kill(first, 'SIGKILL');
  await waitUntil(() => told.includes('restarted'));
  t.not(role.pid, first);
  t.deepEqual(told, ['died: SIGKILL', 'restarted']);
});

test('a child that ends at its start is an error that names its log', async (t) => {
  const { dir, child } = fixture(t);
  const error = await t.throwsAsync(child('console.error("no such file"); process.exit(3)').start(), { instanceOf: FarmError });
  t.regex(error.message, /^role ended at its start \(status 3\): no such file \(.*role\.log\)$/);
  t.is(readFileSync(path.join(dir, 'role.log'), 'utf8'), 'no such file\n');
});

test('a child that keeps dying is started ever more slowly', async (t) => {
  const { deaths, child } = fixture(t);
  const role = child('console.log("ready"); setTimeout(() => process.exit(1), 300)');
  await role.start();
  await waitUntil(() => deaths.length === 5, { what: 'five deaths' });
  const lives = deaths.slice(1).map((at, i) => at - deaths[i]!);
  // Before the second start it does not wait; then 250, 500, 1,000 ms.
  for (const [i, pauseMs] of [0, 250, 500, 1_000].entries()) t.true(lives[i]! >= pauseMs - 5, String(lives));
});

test('a stopped child is not started again, and leaves no pid file', async (t) => {
  const { dir, told, child } = fixture(t);
  const role = child(runsUntilTerm);
  await role.start();
  t.deepEqual(readdirSync(path.join(dir, 'run')), ['role.pid']);
  await role.stop(patienceMs);
  t.is(role.pid, undefined);
  t.deepEqual(readdirSync(path.join(dir, 'run')), []);
  t.deepEqual(told, []);
});

test('one that does not end when asked is killed', async (t) => {
  const { child } = fixture(t);
  const role = child('process.on("SIGTERM", () => {}); console.log("ready"); setInterval(() => {}, 1000)');
  await role.start();
  const identity = identityOf(role.pid as number);
  await role.stop(100);
  t.false(identity !== null && isAlive(identity));
});

test('children that a killed supervisor left are ended; a process that only got the pid is not', async (t) => {
  const { dir, pids, child } = fixture(t);
  const role = child(runsUntilTerm);
  await role.start();
  const identity = identityOf(role.pid as number);
  writeFileSync(path.join(dir, 'run/other.pid'), JSON.stringify({ pid: process.pid, startedAt: '1' }));
  // As if this supervisor were gone: it must not start the child again.
  const stopped = role.stop(patienceMs);
  await pids.endLeftovers();
  await stopped;
  t.false(identity !== null && isAlive(identity));
  t.deepEqual(readdirSync(path.join(dir, 'run')), []);
});
