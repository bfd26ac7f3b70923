import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const logger = fileURLToPath(new URL('../src/logger.ts', import.meta.url));

function logged(level: string, statement: string): Record<string, unknown>[] {
  const program = `import { createLogger } from ${JSON.stringify(logger)}; const log = createLogger('gateway', { node: 'n1' }); ${statement}; process.exit(0);`;
  const { stderr, stdout } = spawnSync(process.execPath, ['--import=tsx', '--input-type=module', '-e', program], { env: { ...process.env, APPSHOT_LOG: level }, encoding: 'utf8' });
  if (stdout !== '') throw new Error(`printed on stdout: ${stdout}`);
  return stderr.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('lines are JSON on stderr, with role and bindings, and none is lost at the exit', (t) => {
  const lines = logged('', `for (let i = 0; i < 500; i++) log.info({ i }, 'line')`);
  t.is(lines.length, 500);
  t.like(lines[499], { level: 'info', role: 'gateway', node: 'n1', i: 499, msg: 'line' });
});

test('secrets do not reach the log', (t) => {
  const [line] = logged('', `log.info({ password: 's3cret', headers: { authorization: 's3cret', 'set-cookie': 's3cret' }, app: { spec: { env: { KEY: 's3cret' } } }, spec: { env: { KEY: 's3cret' } } }, 'x')`);
  t.false(JSON.stringify(line).includes('s3cret'));
});

test('the level comes from APPSHOT_LOG; a wrong one means info', (t) => {
  t.is(logged('error', `log.info('no'); log.error('yes')`).length, 1);
  t.is(logged('loud', `log.debug('no'); log.info('yes')`).length, 1);
  t.is(logged('debug', `log.debug('yes'); log.trace('no')`).length, 1);
});
