import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import type { EngineEvent } from '../../src/engine/engine.js';
import { type ProgramName, programs, run, testEngine, visit } from './support/test-engine.js';

for (const name of Object.keys(programs) as ProgramName[]) {
  test(`${name} is launched, answers and is stopped`, async (t) => {
    const { engine, launch } = await testEngine(t);
    const running = await launch('one', name);
    t.regex(await visit(running), /^visit/);
    const rows = await engine.ps('one');
    t.is(rows.length, name === 'nginx' ? 3 : 1);
    t.is(rows[0]?.pid, running.pid);
    t.deepEqual((await engine.list()).running.map(({ aid, state, port }) => ({ aid, state, port })), [{ aid: 'one', state: 'running', port: 3000 }]);
    t.deepEqual(await engine.stop('one'), { exited: true });
    await t.throwsAsync(engine.ps('one'), { message: /no instance one/ });
    await t.throwsAsync(visit(running));
  });
}

test('an instance has no privilege, sees nothing of the engine and opens no connection', async (t) => {
  const { dir, engine, launch, site } = await testEngine(t);
  const running = await launch('jailed', 'node');
  const other = await launch('other', 'c');
  const inside = async (script: string): Promise<number> => engine.exec('jailed', ['sh', '-c', script], [0, 2, 2]);
  t.is(await inside(`test "$(id -u)" -ne 0`), 0);
  t.is(await inside(`grep -q '^CapBnd:[[:space:]]*0*$' /proc/self/status`), 0);
  t.is(await inside(`grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/self/status`), 0);
  t.is(await inside('test "$(hostname)" = jailed'), 0);
  t.is(await inside(`test ! -e ${dir}/keeper.sock && test ! -e ${dir}/instances`), 0);
  t.is(await inside('mount -t tmpfs none /tmp 2>/dev/null || unshare -m true 2>/dev/null'), 1);
  t.is(await inside('cat /proc/1/environ >/dev/null 2>&1'), 1);
  const opens = (to: string, withinMs = 700): Promise<number> =>
    inside(`node -e 'require("net").connect(${to}).on("connect", () => process.exit(0)).on("error", () => process.exit(9)).setTimeout(${withinMs}, () => process.exit(9))'`);
  t.is(await opens('3000, "127.0.0.1"', patienceMs), 0);
  t.is(await opens(`3000, "${other.ip}"`), 9);
  t.is(await opens('22, "169.254.1.1"'), 9);
  // What it writes beside its program is its own.
  t.is(await inside('echo mine > own.txt'), 0);
  await t.throwsAsync(readFile(path.join(site, 'own.txt')), { code: 'ENOENT' });
  t.regex(await visit(running), /^visit 1/);
});

test('exit codes of exec are passed on, signals reach the process that is meant', async (t) => {
  const { engine, launch } = await testEngine(t);
  await launch('signalled', 'nginx');
  t.is(await engine.exec('signalled', ['sh', '-c', 'exit 42'], [0, 1, 2]), 42);
  t.is(await engine.exec('signalled', ['sh', '-c', 'kill -9 $$'], [0, 1, 2]), 137);
  await t.throwsAsync(engine.exec('signalled', ['no-such-command'], [0, 1, 2]), { code: 'command-not-found' });
  const before = await engine.ps('signalled');
  const worker = before[1]?.vpid;
  await engine.kill('signalled', 'KILL', worker);
  await waitUntil(async () => { const rows = await engine.ps('signalled'); return rows.length === 3 && rows.every(({ vpid }) => vpid !== worker); });
  await t.throwsAsync(engine.kill('signalled', 'NOPE'), { code: 'bad-request' });
  await t.throwsAsync(engine.kill('signalled', 'TERM', 9999), { code: 'not-found' });
});

test('the end of a program is told with its status', async (t) => {
  const { engine, launch } = await testEngine(t);
  const events: EngineEvent[] = [];
  engine.onEvent((event) => events.push(event));
  await launch('brief', 'c', { command: ['sleep', '0.3'], port: 0 });
  await launch('killed', 'c', { command: ['sleep', '1000'], port: 0 });
  await engine.kill('killed', 'SIGKILL');
  await waitUntil(() => events.length === 2);
  t.deepEqual(events.toSorted((a, b) => a.aid.localeCompare(b.aid)), [
    { kind: 'exited', aid: 'brief', status: 0, signal: null },
    { kind: 'exited', aid: 'killed', status: null, signal: 'SIGKILL' },
  ]);
});

test('a daemon that leaves its parent keeps its instance', async (t) => {
  const { engine, launch } = await testEngine(t);
  await launch('daemon', 'c', { command: ['sh', '-c', './counter & exit 0'], port: 3000 });
  const rows = await engine.ps('daemon');
  t.deepEqual(rows.map(({ comm }) => comm), ['counter']);
});

test('what cannot be launched is refused by name and leaves nothing', async (t) => {
  const { engine, launch } = await testEngine(t);
  await t.throwsAsync(launch('bad', 'c', { command: ['no-such-command'] }), { code: 'command-not-found', message: /no-such-command.*\/usr\/bin/ });
  await t.throwsAsync(launch('bad', 'c', { command: ['/etc/passwd'] }), { code: 'command-not-found' });
  await t.throwsAsync(launch('bad', 'c', { command: ['sh', '-c', 'echo last words; exit 3'] }),
    { code: 'exited-early', message: /status 3/ }).then((error) => t.like(error, { facts: { status: 3, lastLines: 'last words\n' } }));
  await t.throwsAsync(launch('bad', 'c', { command: ['sleep', '100'], readyWithinMs: 300 }), { code: 'not-ready-in-time' });
  await t.throwsAsync(launch('bad', 'c', { cwd: '/nowhere' }), { code: 'bad-request', message: /\/nowhere/ });
  await t.throwsAsync(launch('bad', 'c', { user: 'root' }), { code: 'bad-request', message: /root/ });
  await t.throwsAsync(launch('../bad', 'c'), { code: 'bad-request' });
  t.deepEqual(await engine.list().then(({ running, images }) => ({ running, images })), { running: [], images: [] });
});

test('who does not answer is told where it listens, and that a request is not answered', async (t) => {
  const { engine, launch } = await testEngine(t);
  const listening = (where: string, answer = 'r.end()') => ['node', '-e', `require("http").createServer((q, r) => { ${answer} }).listen(${where})`];
  const refused = (aid: string, command: readonly string[], message: RegExp, readyPath?: string) => t.throwsAsync(
    launch(aid, 'c', { command, port: 3000, readyWithinMs: 10_000, ...(readyPath !== undefined && { readyPath }) }), { code: 'not-ready-in-time', message });
  await Promise.all([
    refused('local', listening('3000, "127.0.0.1"'), /127\.0\.0\.1:3000, which nobody reaches from outside: have it listen on 0\.0\.0\.0/),
    refused('elsewhere', listening('8000'), /it listens on 8000, not on that port/),
    refused('broken', listening('3000', 'r.writeHead(500).end()'), /takes connections, but did not answer this request/, '/health'),
  ]);
  t.deepEqual((await engine.list()).running, []);
});

test('a program may listen on a port below 1024, and is told its port', async (t) => {
  const { launch } = await testEngine(t);
  const command = ['node', '-e', 'require("http").createServer((q, r) => r.end(process.env.PORT)).listen(80)'];
  const { address } = await launch('low', 'c', { command, port: 80 });
  t.is(await (await fetch(`http://${address}/`)).text(), '80');
  const given = await launch('given', 'c', { command, port: 80, env: { PORT: 'its own' } });
  t.is(await (await fetch(`http://${given.address}/`)).text(), 'its own');
});

test('a program sees what it is made of: the interpreter that its environment links to, and packages of its workspace', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  const top = path.dirname(dir);
  await run('sh', ['-ec', `cd ${top}
    mkdir -p home/python/bin elsewhere/lib secret repo/node_modules/dep repo/packages/site/env/bin repo/packages/site/node_modules/@scope
    cp "$(readlink -f "$(command -v env)")" home/python/bin/env3
    ln -s env3 home/python/bin/env; ln -s ${top}/home/python/bin/env repo/packages/site/env/bin/interpreter
    printf '#!%s node\n' ${top}/repo/packages/site/env/bin/interpreter > repo/packages/site/serve
    echo "require('http').createServer((q, r) => r.end(require('dep') + require('@scope/lib'))).listen(3000)" >> repo/packages/site/serve
    chmod +x repo/packages/site/serve
    echo "module.exports = 'dep '" > repo/node_modules/dep/index.js
    echo "module.exports = 'lib'" > elsewhere/lib/index.js; echo '{}' > elsewhere/lib/package.json; echo mine > secret/file
    ln -s ${top}/elsewhere/lib repo/packages/site/node_modules/@scope/lib; ln -s ${top}/secret repo/packages/site/node_modules/secret
    chmod -R a+rX .`]);
  const site = path.join(top, 'repo/packages/site');
  t.is(await visit(await launch('workspace', 'c', { command: ['./serve'], cwd: site })), 'dep lib');
  t.is(await engine.exec('workspace', ['sh', '-c', `! test -e ${top}/secret/file && ! touch ${top}/elsewhere/lib/more 2>/dev/null`], [0, 1, 2]), 0);
});

test('volumes are shared with the machine', async (t) => {
  const { engine, launch, site } = await testEngine(t);
  await run('chmod', ['777', site]);
  await launch('sharing', 'c', { volumes: [{ host: site, path: '/data/shared' }] });
  t.is(await engine.exec('sharing', ['sh', '-c', 'echo hello > /data/shared/greeting'], [0, 1, 2]), 0);
  t.is(await readFile(path.join(site, 'greeting'), 'utf8'), 'hello\n');
});

test('instances outlive a keeper that is killed, and are adopted by the next', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  const running = await launch('adopted', 'node');
  t.regex(await visit(running), /^visit 1/);
  const events: EngineEvent[] = [];
  engine.onEvent((event) => events.push(event));
  const { stdout } = await run('pgrep', ['-f', `appshot-keeper --dir ${dir}$`]);
  for (const pid of stdout.trim().split('\n').map(Number)) process.kill(pid, 'SIGKILL');
  t.regex(await visit(running), /^visit 2/);
  await waitUntil(async () => (await engine.ps('adopted')).length === 1, { what: 'the next keeper' });
  t.is(await engine.exec('adopted', ['true'], [0, 1, 2]), 0);
  t.regex(await visit(running), /^visit 3/);
  await engine.kill('adopted', 'TERM');
  await waitUntil(() => events.length === 1);
  t.deepEqual(events, [{ kind: 'exited', aid: 'adopted', status: null, signal: 'SIGTERM' }]);
});
