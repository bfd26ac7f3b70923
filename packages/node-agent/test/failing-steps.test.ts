import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { Failpoints } from './engine/support/failpoints.js';
import { Peer } from './engine/support/peer.js';
import { testEngine } from './engine/support/test-engine.js';
import { failClones, failWakes, WalkedSteps } from './victims/failing-steps.js';
import { VictimFarm } from './victims/victim-farm.js';

// Read by the keepers that this file starts.
process.env['APPSHOT_FAILPOINTS'] = '1';

/** Between them they take every step that a wake can have. The last test of this file names what is missing here. */
const victims = [
  'async_owner', 'bases_and_barriers', 'busy_registers', 'child_ends', 'daemon', 'deleted_directories', 'deleted_files', 'deleted_program', 'epolls',
  'eventfds', 'fifos', 'flocks', 'fork_advice', 'group_without_leader', 'heap_brk', 'inotify_watch', 'itimer_prof', 'late_subreaper', 'lease',
  'locked_memory', 'many_descriptors', 'memfd_half_sealed', 'multicast', 'netlink_route', 'own_seccomp', 'passed_descriptor', 'passed_stream',
  'pending_signals', 'pidfds', 'pipe_packets', 'pipes_data', 'posix_queue', 'posix_timers', 'prctl_states', 'process_settings', 'quiet_waits',
  'record_locks', 'scheduling', 'semaphore_undo', 'signalfds', 'socket_filter', 'stopped_child', 'sysv_objects', 'tcp_backlog', 'tcp_ended',
  'timerfds', 'udp_queue', 'unix_messages',
];

/** Steps that nothing in this file takes, and why. */
const notTaken: Readonly<Record<string, string>> = {
  'duplicate memory': 'only where a rule asks for it',
  'fork the first process': 'only where another process has to be there before the root',
  'put in a port': 'only of an IPv6 connection that was over',
  'put a thread\'s frame on its stack': 'only in a zygote, which is made before a clone is asked for',
  'set the secure bits': 'instances have no capability that could set them',
  'wait for the process between': 'as the first process',
};

const farm = new VictimFarm();
const steps = new WalkedSteps();
test.before(() => farm.start());
test.after.always(() => farm.close());

test.serial('whatever step fails in bringing back whatever kind of state, the image stays whole and wakes', async (t) => {
  t.timeout(600_000);
  const failpoints = new Failpoints(farm.engineDir);
  t.teardown(() => failpoints.close());
  const walk = { farm, failpoints, steps };
  for (const name of victims) t.is(await failWakes(walk, name), '', name);
  for (const name of ['child_ends', 'fork_advice', 'stopped_child']) t.is(await failClones(walk, name), '', name);
  t.true(steps.failed >= steps.size / 2, `${steps.failed} of ${steps.size}`);
});

test.serial('whatever step fails in keeping connections to the outside, the image stays whole and wakes', async (t) => {
  t.timeout(600_000);
  const { dir, engine, launch } = await testEngine(t);
  const failpoints = new Failpoints(dir);
  t.teardown(() => failpoints.close());
  const { address } = await launch('halves', 'python', { command: ['/usr/bin/python3', 'halves.py'] });
  let count = 0;
  const connect = async (): Promise<Peer> => {
    const [peer, name] = [new Peer({ address, allowHalfOpen: true }), `peer${count += 1}`];
    peer.say(name);
    await peer.hears(`hello ${name}`);
    return peer;
  };
  const sleepWithTwo = async (): Promise<void> => {
    const [, ended] = await Promise.all([connect(), connect()]);
    ended.end();
    await engine.snapshot('halves', { keepRunning: false });
  };
  await sleepWithTwo();
  await engine.restore('halves');
  for (let step = await steps.next(failpoints, /^tape: /); step !== undefined; step = await steps.next(failpoints, /^tape: /)) {
    await failpoints.arm(step, 'error');
    await sleepWithTwo();
    if (await steps.failing(failpoints, engine.restore('halves')) === undefined) await engine.restore('halves');
    await t.notThrowsAsync(connect(), step);
  }
  await engine.stop('halves');
});

test.serial('there is no step of a wake that no test makes fail', (t) => {
  t.deepEqual(stepsInSource().filter((step) => !steps.has(`tape: ${step}`) && !(step in notTaken)), []);
});

/** Names of the steps that the compilers of tapes give to their calls. */
function stepsInSource(): string[] {
  const folder = new URL('../../../native/core/restore/', import.meta.url);
  const sources = readdirSync(folder).filter((name) => /^(compile|lazy).*\.cc$/.test(name)).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const names = sources.flatMap((text) => [...text.matchAll(/\.(?:call|callExact|attempt|until)\("([^"]+)"|\bop\(OP_\w+, "([^"]+)"/g)].map(([, call, op]) => call ?? op ?? ''));
  return [...new Set(names)].sort();
}
