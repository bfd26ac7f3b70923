import { AppSpec } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import test from 'ava';
import { launchSpecOf } from '../../src/agent/launch-spec-of.js';

const aid = 'a0000000000001';
const spec = (more: object = {}): AppSpec => AppSpec.parse({ name: 'shop', hosts: ['shop.localhost'], command: ['node', 'server.js'], cwd: '/srv/shop', port: 3000, ...more });

test('an app gets its own environment, its port, and nothing of the agent\'s', (t) => {
  process.env['APPSHOT_TEST_SECRET'] = 'x';
  const { env, uid, user } = launchSpecOf(spec({ env: { NODE_ENV: 'production' } }), aid, 200_001);
  t.is(env['NODE_ENV'], 'production');
  t.is(env['PORT'], '3000');
  t.is(env['HOME'], '/srv/shop');
  t.is(env['APPSHOT_TEST_SECRET'], undefined);
  t.is(uid, 200_001);
  t.is(user, undefined);
});

test('rules are passed on as they were written, with what clones are told', (t) => {
  const rules = 'Define <APPL-ID> as PROPERTY application-ID\nSET ENV "HOME" = "/srv/shop/<APPL-ID>"\n';
  const launch = launchSpecOf(spec({ rules, env: { HOME: '/root' }, clone: { hook: '/cloned' } }), aid, 1_000);
  t.is(launch.name, 'shop');
  t.is(launch.env['HOME'], '/root');
  t.deepEqual(launch.rules, [
    { line: 1, kind: 'define', tag: 'APPL-ID', property: 'application-ID', fallback: null },
    { line: 2, kind: 'set-env', name: 'HOME', value: '/srv/shop/<APPL-ID>' },
  ]);
  t.deepEqual(launch.clone, { hook: '/cloned', withinMs: 10_000, duplicateRandomness: false });
});

test('a rule that cannot be followed is refused by its line, not passed over', (t) => {
  const refused = (rules: string): string => t.throws(() => launchSpecOf(spec({ rules }), aid, 1_000), { instanceOf: FarmError }).message;
  t.regex(refused('Define <X> as PROPERTY colour'), /line 1: "colour" is not a property/);
  t.regex(refused('\nnonsense'), /line 2: "nonsense" begins no rule/);
});

test('volumes, readiness and limits are passed on', (t) => {
  const launch = launchSpecOf(spec({ volumes: ['/var/lib/shop:/data'], ready: { http: '/healthz', withinMs: 5_000 }, resources: { memoryMb: 64, cpus: 0.5 }, user: 'www-data' }), aid, 1_000);
  t.deepEqual(launch.volumes, [{ host: '/var/lib/shop', path: '/data' }]);
  t.is(launch.readyPath, '/healthz');
  t.is(launch.readyWithinMs, 5_000);
  t.is(launch.memoryMb, 64);
  t.is(launch.user, 'www-data');
  t.is(launch.uid, undefined);
});
