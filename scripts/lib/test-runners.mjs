import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { fuzz } from '../fuzz.mjs';
import { reasonsIn } from './failures.mjs';
import { hasClang } from './native-variants.mjs';
import { paths, toolPath } from './paths.mjs';

/** Runs a command, hands each line of its output to `onLine`, and resolves to its exit status (1 when a signal ended it). */
function runLines(command, args, { env, onLine }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: paths.root, env: { ...process.env, PATH: toolPath(), ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
    readline.createInterface({ input: child.stdout }).on('line', onLine);
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

const print = (line) => console.log(line);
const bin = (name) => path.join(paths.root, 'node_modules/.bin', name);

/** Each runner resolves to how many tests passed and failed, and of those that failed `{ name, lines }`. */
const result = (passed, failures) => ({ passed, failed: failures.length, failures });

/** Lint counts as one test. */
export async function runLint(env) {
  print('# lint');
  const said = [];
  const onLine = (line) => {
    said.push(line);
    print(line);
  };
  const status = await runLines(bin('eslint'), ['.'], { env, onLine });
  return status === 0 ? result(1, []) : result(0, [{ name: 'lint', lines: said.filter((line) => /\berror\b|^\//.test(line)) }]);
}

/** The native core's unit tests: each test that ctest knows counts as one. */
export async function runCtest(env) {
  print('# native core');
  let passed = 0;
  const failures = [], said = [];
  const onLine = (line) => {
    const [, name, outcome] = /^\s*\d+\/\d+ Test\s+#\d+: (\S+).*?(Passed|\*\*\*\S+)/.exec(line) ?? [];
    if (outcome === 'Passed') passed += 1;
    else if (outcome !== undefined) failures.push({ name: `native core: ${name} ${outcome}`, lines: said });
    if (/ERROR:|TEST CASE:|values:|THREW|FAILED|Sanitizer/.test(line)) said.push(line);
    print(line);
  };
  // The build may be older than what the tests take.
  await runLines('cmake', ['-S', 'native', '-B', paths.nativeBuild], { env, onLine: () => undefined });
  const status = await runLines('ctest', ['--test-dir', paths.nativeBuild, '--output-on-failure', '--timeout', '600'], { env, onLine });
  if (status !== 0 && failures.length === 0) failures.push({ name: `native core: ctest ended with ${status}`, lines: said });
  return result(passed, failures);
}

/** A short round of fuzzing counts as one test; where there is no clang it is left out. */
export async function runFuzz() {
  if (!await hasClang()) return result(0, []);
  print('# fuzzing the image reader for 20 s');
  try {
    await fuzz(20, { show: false });
    return result(1, []);
  } catch (error) {
    print(`${error.message}\n${error.said ?? ''}`);
    return result(0, [{ name: `fuzzing the image reader: ${error.message}`, lines: (error.said ?? '').split('\n').filter((line) => /ERROR|SUMMARY|#\d+ /.test(line)) }]);
  }
}

/** Everything in TypeScript, over TAP, so that results are counted and not guessed from prose. */
export async function runAva(env) {
  print('# packages and farm');
  let passed = 0, yaml = null;
  const failures = [];
  const onLine = (line) => {
    const [, not, name] = /^\s*(not )?ok \d+ - (.*)$/.exec(line) ?? [];
    if (name !== undefined && !/# SKIP|# TODO/.test(name)) {
      if (not === undefined) passed += 1;
      else failures.push({ name, lines: [] });
    }
    if (/^\s*---$/.test(line)) yaml = [];
    else if (/^\s*\.\.\.$/.test(line)) {
      if (failures.length > 0 && yaml !== null) failures.at(-1).lines = reasonsIn(yaml);
      yaml = null;
    } else yaml?.push(line);
    if (!/^(TAP version|\d+\.\.\d+|# (tests|pass|fail|skip) |# .* hook\b|\s*duration_ms)/.test(line)) print(line);
  };
  const status = await runLines(bin('ava'), ['--tap'], { env, onLine });
  if (status !== 0 && failures.length === 0) failures.push({ name: `ava ended with ${status}`, lines: [] });
  return result(passed, failures);
}
