import test from 'ava';
import fc from 'fast-check';
import { FarmError } from '@appshot/runtime';
import { parseAppFile } from '../../src/app-file/parse-app-file.js';
import type { AppFileProblem } from '../../src/app-file/problem.js';

const good = `name: shop
hosts: [shop.localhost]
command: [node, server.js]
cwd: ./site
env: { NODE_ENV: production }
user: www-data                 # default: an unprivileged id of its own
port: 3000                     # where it listens, inside
ready: { http: /healthz, withinMs: 30000 }
scale: { min: 0, max: 20, concurrency: 50, p95Ms: 200, idleMs: auto }
priority: 100
resources: { memoryMb: 512, cpus: 1 }
template: { after: first-request, warmup: [/, /products] }
rules: |
  Define <APPL-ID> as PROPERTY application-ID
  REDIR PATH "/srv/shop/config" to "/srv/shop/<APPL-ID>/config"
  SET ENV "HOME" = "/srv/shop/<APPL-ID>"
volumes: ["/var/lib/shop:/data"]
`;
const least = 'name: a\nhosts: [a.localhost]\ncommand: [x]\nport: 80\n';

function problemsOf(text: string): AppFileProblem[] {
  try {
    parseAppFile(text, '/srv');
  } catch (error) {
    if (error instanceof FarmError && error.code === 'app-file-invalid') return error.facts?.['problems'] as AppFileProblem[];
    throw error;
  }
  return [];
}

test("the design's app file is accepted, with its cwd beside the file", (t) => {
  const { spec } = parseAppFile(good, '/home/me');
  t.is(spec.cwd, '/home/me/site');
  t.like(spec, { name: 'shop', user: 'www-data', scale: { idleMs: 'auto' }, template: { warmup: ['/', '/products'] } });
});

test('what is left out gets its default', (t) => {
  const { spec } = parseAppFile(least, '/srv');
  t.like(spec, { cwd: '/srv', priority: 100, scale: { min: 0, max: 20, concurrency: 50 }, template: { after: 'first-request' } });
});

test('an unknown key is refused with its line and what was probably meant', (t) => {
  t.deepEqual(problemsOf(`${least}scale:\n  min: 0\n  concurency: 5\n`), [{
    line: 7, path: 'scale.concurency', problem: 'unknown key "concurency"; did you mean "concurrency"?', allowed: 'the keys min, max, concurrency, p95Ms, idleMs',
  }]);
  t.like(problemsOf(`${least}frobnicate: 1\n`)[0], { line: 5, problem: 'unknown key "frobnicate"' });
});

test('a port that is reached from outside cannot be kept inside: both lines are named', (t) => {
  const exposed = `${least}expose:\n  - port: 5432\n  - { port: 5433 }\n`;
  const problems = problemsOf(`${exposed}rules: |\n  # kept\n  VIRTUALIZE PORT 5433\n  VIRTUALIZE PORT 80\n  VIRTUALIZE PORT 9000\n`);
  t.deepEqual(problems.map(({ line, problem }) => `${line}: ${problem}`), [
    '10: VIRTUALIZE PORT 5433 keeps inside what line 7 (expose[1].port) has reached from outside',
    '11: VIRTUALIZE PORT 80 keeps inside what line 4 (port) has reached from outside',
  ]);
  t.deepEqual(problemsOf(`${exposed}rules: VIRTUALIZE PORT 9000\n`), []);
});

test('every problem is reported at once, by line', (t) => {
  const problems = problemsOf('name: Shop!\nhosts: []\ncommand: node\nport: 99999\nenv:\n  PORT: 3000\nscale: { idleMs: soon }\ntemplate: { after: lunch }\n');
  t.deepEqual(problems.map(({ line, path }) => `${line} ${path}`), ['1 name', '2 hosts', '3 command', '4 port', '6 env.PORT', '7 scale.idleMs', '8 template.after']);
  t.is(problems[3]?.allowed, 'a whole number from 1 to 65535');
  t.is(problems[0]?.allowed, 'lower-case letters, digits and "-", 1 to 63 characters');
  t.is(problems[4]?.allowed, 'text (in quotes when it looks like a number, true, false or null)');
  t.is(problems[5]?.allowed, 'a whole number from 100 to 86400000, or auto, or never');
  t.is(problems[6]?.allowed, 'one of ready, first-request');
});

test('what is missing is said to be missing', (t) => {
  t.deepEqual(problemsOf('name: a\n').map(({ path, problem }) => `${path} ${problem}`), ['hosts is missing', 'command is missing', 'port is missing']);
});

test('values that do not go together are refused', (t) => {
  t.like(problemsOf(`${least}scale:\n  min: 5\n  max: 2\n`)[0], { line: 6, path: 'scale.min', problem: 'min 5 is more than max 2' });
  t.like(problemsOf('name: a\nhosts:\n  - a.x\n  - a.x\ncommand: [x]\nport: 80\n')[0], { line: 4, path: 'hosts[1]', problem: 'a.x is named twice' });
});

test('a port is exposed over TCP, on a farm port if one is wished for; UDP is refused by name, a port twice too', (t) => {
  const { spec } = parseAppFile('name: a\ncommand: [x]\nport: 80\nexpose:\n  - port: 5432\n  - { port: 80, protocol: tcp, farmPort: 15432, silentMs: 60000 }\n', '/');
  t.deepEqual(spec.hosts, [], 'it need not have a host name');
  t.deepEqual(spec.expose, [{ port: 5432, protocol: 'tcp', silentMs: 0 }, { port: 80, protocol: 'tcp', farmPort: 15432, silentMs: 60_000 }]);
  const [udp] = problemsOf(`${least}expose:\n  - port: 53\n    protocol: udp\n`);
  t.like(udp, { line: 7, path: 'expose[0].protocol' });
  t.regex(udp!.problem + udp!.allowed, /"udp".*tcp/);
  t.like(problemsOf(`${least}expose:\n  - port: 53\n  - port: 53\n`)[0], { line: 7, path: 'expose[1].port', problem: '53 is named twice' });
});

test('what becomes of connections is auto, keep or reset', (t) => {
  t.is(parseAppFile(least, '/').spec.connections, 'auto');
  t.is(parseAppFile(`${least}connections: reset\n`, '/').spec.connections, 'reset');
  t.like(problemsOf(`${least}connections: drop\n`)[0], { line: 5, path: 'connections', allowed: 'one of auto, keep, reset' });
});

test('broken YAML and doubled keys are refused with their line', (t) => {
  t.is(problemsOf('name: a\nhosts: [a\n')[0]?.line, 3);
  t.like(problemsOf('name: a\nport: 1\nport: 2\n')[0], { line: 3, problem: 'Map keys must be unique' });
  t.is(problemsOf('- a\n- b\n')[0]?.problem, 'this is not an app file');
  t.regex(problemsOf('name: *x\n')[0]?.problem ?? '', /alias/i);
  t.is(problemsOf('')[0]?.problem, 'this is not an app file');
});

test("a wrong rule is refused with the app file's line", (t) => {
  const problems = problemsOf(`${least}rules: |\n  # tags\n  Define <A> as PROPERTY moon\n  REDIRECT PATH "/a" to "/b"\n`);
  t.deepEqual(problems.map(({ line, problem }) => `${line} ${problem}`), ['7 "moon" is not a property', '8 "REDIRECT" begins no rule; did you mean REDIR?']);
});

test('a name of an environment variable is checked at its key', (t) => {
  t.like(problemsOf(`${least}env:\n  GOOD: "1"\n  1BAD: "1"\n`)[0], { line: 7, path: 'env.1BAD' });
});

test('the line of a good value can be asked for', (t) => {
  t.is(parseAppFile(good, '/').lineOf(['hosts', 0]), 2);
});

test('whatever the text, it is accepted or refused with lines that exist', (t) => {
  const lines = fc.array(fc.oneof(fc.constantFrom(...good.split('\n')), fc.string({ maxLength: 30 })), { maxLength: 25 });
  fc.assert(fc.property(lines, (parts) => {
    const text = parts.join('\n');
    for (const { line, problem, allowed } of problemsOf(text)) {
      t.true(line >= 1 && line <= text.split('\n').length + 1, `${line}`);
      t.true(problem !== '' && allowed !== '');
    }
  }), { numRuns: 300 });
});
