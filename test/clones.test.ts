import path from 'node:path';
import { proc } from '@appshot/runtime';
import { patienceMs, waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { fixtureSite } from './support/app-file.js';
import { Farm, type InstanceRow } from './support/farm.js';

interface Told { readonly told: number; readonly hookBody: string; readonly zone: string; readonly uuids: readonly string[]; readonly self: { readonly aid: string; readonly generation: number } }
interface Rids { readonly rids: readonly { readonly type: string; readonly virtual: string | number; readonly system: string | number }[] }

/** Tells what it was told of being cloned, and its variables. */
const program = path.join(import.meta.dirname, '../packages/node-agent/test/clones/fixtures/site.mjs');
const rules = ['rules: |', '  Define <ID> as PROPERTY application-ID', '  Define <IP> as PROPERTY instance-IP', '  SET ENV "ZONE" = "<ID> at <IP>"'];
const farm = new Farm();

test.before(() => farm.up());
test.after.always(() => farm.destroy());

const site = (name: string, ...lines: string[]): string =>
  fixtureSite(farm.dir, ['node', program], { name, lines: ['scale: { max: 4, idleMs: never }', 'clone: { hook: /cloned, signal: USR2, withinMs: 60000 }', ...lines] });

/** Asks one instance, past the gateway. */
async function ask({ ip, port }: InstanceRow): Promise<Told> {
  return (await (await fetch(`http://${ip}:${port}/`, { signal: AbortSignal.timeout(patienceMs), headers: { connection: 'close' } })).json()) as Told;
}

test.serial('clones are told what they are by the signal and the hook of the app file before they serve, and have variables of their own', async (t) => {
  await farm.deploy(site('twins', ...rules));
  t.is((await farm.visit('twins.test')).status, 200);
  const parent = await farm.instanceOf('twins');
  t.is((await farm.appshot('clone', 'twins', '--count', '2')).status, 0);
  const rows = await farm.untilAll('twins', 'ready');
  const clones = rows.filter(({ aid }) => aid !== parent.aid);
  t.is(clones.length, 2);
  const told = await Promise.all(rows.map((row) => ask(row)));
  for (const [i, row] of rows.entries()) t.is(told[i]!.zone, `${row.aid} at ${row.ip}`);
  const uuids = told.flatMap((one) => one.uuids);
  t.true(uuids.length >= 3);
  t.is(new Set(uuids).size, uuids.length);
  for (const clone of clones) {
    const { self, hookBody, told: signals } = told[rows.indexOf(clone)]!;
    t.like(self, { aid: clone.aid, generation: 1 });
    t.like(JSON.parse(hookBody), { aid: clone.aid });
    t.is(signals, 1);
  }
  t.is(told[rows.findIndex(({ aid }) => aid === parent.aid)]!.hookBody, '', 'its parent is not told');
});

test.serial('a clone whose hook refuses is ended and named, and nobody is sent to it', async (t) => {
  await farm.deploy(site('unwilling', 'env: { HOOK_STATUS: "503" }'));
  t.is((await farm.visit('unwilling.test')).status, 200);
  const { aid } = await farm.instanceOf('unwilling');
  const refused = await farm.appshot('clone', 'unwilling', '--count', '1');
  t.is(refused.status, 1);
  t.regex(refused.stdout + refused.stderr, /the hook \/cloned of the clone \w+ answered 503/);
  t.regex((await farm.eventsOf('unwilling', 'failed'))[0]?.because ?? '', /the hook \/cloned of the clone \w+ answered 503/);
  await waitUntil(async () => (await farm.instancesOf('unwilling')).every((row) => row.aid === aid), { what: 'the clone to be gone' });
  t.is((await farm.visit('unwilling.test')).status, 200);
});

test.serial('rids tells what each instance and its node call the same thing, in both directions, while it is there', async (t) => {
  const rows = await farm.instancesOf('twins');
  const tables = await Promise.all(rows.map(({ aid }) => farm.appshotJson<Rids>('rids', aid)));
  const of = (table: Rids, type: string) => table.rids.filter((row) => row.type === type);
  const pids = tables.map((table) => of(table, 'pid')[0]!);
  t.is(new Set(pids.map(({ virtual }) => virtual)).size, 1, 'the same pid inside');
  t.is(new Set(pids.map(({ system }) => system)).size, rows.length, 'and another one on the node');
  for (const [i, { aid, ip }] of rows.entries()) {
    const { virtual, system } = pids[i]!;
    t.regex(proc.text(system, 'status'), new RegExp(`^NSpid:.*\t${virtual}$`, 'm'), 'as the kernel says');
    t.deepEqual(of(tables[i]!, 'port'), [{ type: 'port', virtual: 3000, system: `${ip}:3000` }]);
    t.deepEqual((await farm.appshotJson<Rids>('rids', aid, '--type', 'pid', '--system', String(system))).rids, [pids[i]!]);
  }
  t.regex((await farm.appshot('rids', rows[0]!.aid)).stdout, new RegExp(`port +3000 +${rows[0]!.ip}:3000`));
  const unknown = await farm.appshot('rids', 'a0000000000000');
  t.is(unknown.status, 1);
  t.regex(unknown.stderr, /there is no instance "a0000000000000"/);
});

test.serial('an instance that wakes at another address has the variables that name it changed, and all else as it was', async (t) => {
  await farm.deploy(site('moved', ...rules));
  t.is((await farm.visit('moved.test')).status, 200);
  const [before] = await farm.untilAll('moved', 'ready') as [InstanceRow];
  t.is((await ask(before)).zone, `${before.aid} at ${before.ip}`);
  t.is((await farm.appshot('sleep', 'moved')).status, 0);
  t.deepEqual((await farm.appshotJson<Rids>('rids', before.aid)).rids, []);
  t.is((await farm.visit('moved.test')).status, 200);
  const [after] = await farm.untilAll('moved', 'ready') as [InstanceRow];
  t.is(after.aid, before.aid);
  t.not(after.ip, before.ip);
  const { zone, told, hookBody } = await ask(after);
  t.is(zone, `${after.aid} at ${after.ip}`);
  t.deepEqual([told, hookBody], [0, ''], 'it is no clone');
});
