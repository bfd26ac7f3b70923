import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import { run, testEngine } from './support/test-engine.js';

const shotProgram = path.join(import.meta.dirname, '../../bin/shot.js');
/** Addresses for documentation (RFC 5737): in namespaces of the test's own. */
const [nodeAddress, worldAddress] = ['198.51.100.1', '198.51.100.2'];

/**
 * What an instance answers: what the world has said, or why it was not reached. Over a connection for each, since the world may close one
 * that is kept while the instance sleeps.
 */
const app = `require('http').createServer((q, r) => require('http').get('http://${worldAddress}/', { agent: false }, (got) => got.pipe(r)).on('error', (e) => r.end(e.code))).listen(3000)`;
/** What the world says: whom it sees. */
const world = `require('http').createServer((q, r) => r.end('world saw ' + q.socket.remoteAddress)).listen(80); process.stdin.on('end', process.exit).resume()`;

type Inside = (...command: string[]) => Promise<string>;

/** A network namespace that lasts until the test is over, or killed: whoever is in it reads from the test. */
async function namespaceOf(t: ExecutionContext): Promise<{ readonly pid: number; readonly inside: Inside; begin(...command: string[]): ChildProcess }> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up; echo made; exec cat >/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => { holder.kill(); });
  await new Promise((resolve) => { holder.stdout.once('data', resolve); });
  const pid = holder.pid ?? 0;
  const enter = ['--net', '--target', String(pid)];
  return {
    pid,
    inside: async (...command) => (await run('nsenter', [...enter, ...command])).stdout.trim(),
    begin: (...command) => {
      const child = spawn('nsenter', [...enter, ...command], { stdio: ['pipe', 'ignore', 'inherit'] });
      t.teardown(() => { child.kill(); });
      return child;
    },
  };
}

test('an app that may reach the world does, also after a sleep and in a clone; another is told at once that there is no way', async (t) => {
  const { site } = await testEngine(t);
  const [node, outside] = [await namespaceOf(t), await namespaceOf(t)];
  await run('nsenter', ['--net', '--target', String(node.pid), 'ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'world0', 'netns', String(outside.pid)]);
  for (const [place, link, address] of [[node, 'up0', nodeAddress], [outside, 'world0', worldAddress]] as const) {
    await place.inside('ip', 'address', 'add', `${address}/24`, 'dev', link);
    await place.inside('ip', 'link', 'set', link, 'up');
  }
  outside.begin(process.execPath, '-e', world);
  const shot: Inside = (...words) => node.inside(process.execPath, shotProgram, words[0] ?? '', '--dir', path.join(site, '../namespaced'), ...words.slice(1));
  const launch = (aid: string, ...more: string[]): Promise<string> =>
    shot('launch', '--aid', aid, '--cwd', site, '--port', '3000', '--json', ...more, '--', process.execPath, '-e', app);
  const asked = async (answer: string): Promise<string> => {
    const { address } = [JSON.parse(answer)].flat()[0] as { address: string };
    return node.inside(process.execPath, '-e', `fetch('http://${address}/', { signal: AbortSignal.timeout(${patienceMs}) }).then((got) => got.text()).then(console.log)`);
  };
  await t.throwsAsync(launch('early', '--egress'), { message: /this node does not forward packets.*sysctl -w net\.ipv4\.ip_forward=1/s });
  await node.inside('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  try {
    t.is(await asked(await launch('kept')), 'ENETUNREACH');
    const running = await launch('out', '--egress');
    const seen = `world saw ::ffff:${nodeAddress}`;
    t.is(await waitUntil(async () => { const answer = await asked(running); return answer !== 'ECONNREFUSED' && answer; }, { everyMs: 50, what: 'the world to listen' }), seen);
    await shot('snapshot', 'out');
    t.is(await asked(await shot('restore', 'out', '--json')), seen);
    t.is(await asked(await shot('clone', 'out', '--count', '1', '--json')), seen);
  } finally {
    for (const aid of ['kept', 'out', 'out-1']) await shot('stop', aid).catch(() => undefined);
  }
  // The last instance that ends takes the engine with it, and its packet filter.
  await waitUntil(async () => !(await node.inside('nft', 'list', 'tables')).includes('appshot'), { everyMs: 50, what: 'the packet filter to be gone' });
});
