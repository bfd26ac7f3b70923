import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { fuzz } from '../fuzz.mjs';
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

/** Lint counts as one test. */
export async function runLint(env) {
  print('# lint');
  const status = await runLines(bin('eslint'), ['.'], { env, onLine: print });
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** The native core's unit tests: each test that ctest knows counts as one. */
export async function runCtest(env) {
  print('# native core');
  const count = { passed: 0, failed: 0 };
  const onLine = (line) => {
    const result = /^\s*\d+\/\d+ Test\s+#\d+:.*?(Passed|\*\*\*\S+)/.exec(line);
    if (result !== null) count[result[1] === 'Passed' ? 'passed' : 'failed'] += 1;
    print(line);
  };
  // The build may be older than what the tests take.
  await runLines('cmake', ['-S', 'native', '-B', paths.nativeBuild], { env, onLine: () => undefined });
  const status = await runLines('ctest', ['--test-dir', paths.nativeBuild, '--output-on-failure', '--timeout', '120'], { env, onLine });
  return status !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

/** A short round of fuzzing counts as one test; where there is no clang it is left out. */
export async function runFuzz() {
  if (!await hasClang()) return { passed: 0, failed: 0 };
  print('# fuzzing the image reader for 20 s');
  try {
    await fuzz(20, { show: false });
    return { passed: 1, failed: 0 };
  } catch (error) {
    print(`${error.message}\n${error.said ?? ''}`);
    return { passed: 0, failed: 1 };
  }
}

/** Everything in TypeScript, over TAP, so that results are counted and not guessed from prose. */
export async function runAva(env) {
  print('# packages and farm');
  const count = { passed: 0, failed: 0 };
  const onLine = (line) => {
    const result = /^\s*(not )?ok \d+ - (.*)$/.exec(line);
    if (result !== null && !/# SKIP|# TODO/.test(result[2])) count[result[1] ? 'failed' : 'passed'] += 1;
    if (!/^(TAP version|\d+\.\.\d+|# (tests|pass|fail|skip) |# .* hook\b|\s*duration_ms)/.test(line)) print(line);
  };
  const status = await runLines(bin('ava'), ['--tap'], { env, onLine });
  return status !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}
