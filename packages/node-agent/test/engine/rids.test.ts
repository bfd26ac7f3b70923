import test from 'ava';
import { cloneFarm } from '../clones/clone-farm.js';

test('what an instance calls its resources is translated in both directions, from their beginning to their end', async (t) => {
  const { engine, launch } = await cloneFarm(t);
  const running = await launch('one', ['./twin', '/srv/redirected'], { rules: 'Define <ID> as PROPERTY application-ID\nREDIR PATH "/srv/redirected" to "/srv/<ID>/it"' });
  await launch('two', ['node', 'site.mjs']);
  const [pid] = await engine.rids({ aid: 'one', type: 'pid' });
  t.is(pid?.system, running.pid);
  t.deepEqual(await engine.rids({ type: 'pid', system: String(running.pid) }), [pid!], 'from the node\'s id to the instance and its own');
  t.deepEqual(await engine.rids({ aid: 'one', type: 'pid', virtual: String(pid?.virtual) }), [pid!]);
  t.true((await engine.rids({ aid: 'two', type: 'thread' })).length > 4);
  t.deepEqual((await engine.rids({ aid: 'one', type: 'port' })).map(({ virtual, system }) => [virtual, system]), [[3000, `${running.ip}:3000`]]);
  t.deepEqual((await engine.rids({ aid: 'one', type: 'ip' })).map(({ system }) => system), [running.ip]);
  for (const type of ['shm', 'sem', 'msg']) t.regex(String((await engine.rids({ aid: 'one', type }))[0]?.system), /^ipc:\[\d+\]\/\d+$/);
  t.deepEqual((await engine.rids({ aid: 'one', type: 'path', virtual: '/srv/redirected' })).map(({ system }) => system), ['/srv/one/it']);

  await engine.exec('one', ['ipcrm', '-Q', '0x7103'], [0, 2, 2]);
  t.deepEqual(await engine.rids({ aid: 'one', type: 'msg' }), [], 'gone with its resource');
  const before = await engine.rids({ aid: 'one' });
  await engine.snapshot('one', { keepRunning: false });
  t.deepEqual(await engine.rids({ type: 'pid', system: String(running.pid) }), []);
  await engine.restore('one');
  const virtual = (rows: readonly { type: string; virtual: string | number }[]) => rows.filter(({ type }) => type !== 'ip').map((row) => `${row.type} ${row.virtual}`).sort();
  t.deepEqual(virtual(await engine.rids({ aid: 'one' })), virtual(before), 'each id means the same as before');
});
