import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { cleanLeftovers, runFolder } from './lib/leftovers.mjs';
import { paths } from './lib/paths.mjs';
import { SetupProblem } from './lib/run-command.mjs';
import { runAva, runCtest, runFuzz, runLint } from './lib/test-runners.mjs';
import { orSayWhy, setup } from './setup.mjs';

/** `npm test`: sets up, then lint, the native core's tests, all others. The last line is `N passed, N failed`. */
async function runTests() {
  await setup({ test: true });
  if (process.getuid?.() !== 0) throw new SetupProblem('the tests start real farms, which needs root: run "sudo npm test"');
  await cleanLeftovers();
  const folder = runFolder(process.pid);
  await mkdir(folder, { recursive: true, mode: 0o711 });
  // Every temporary folder of every test lands below it, and every process of theirs can be told by it.
  const env = { TMPDIR: folder, FORCE_COLOR: '0' };
  const counts = [];
  try {
    for (const run of [runLint, runCtest, runFuzz, runAva]) counts.push(await run(env));
  } finally {
    await cleanLeftovers(process.pid);
    await rm(folder, { recursive: true, force: true });
  }
  const total = counts.reduce((sum, count) => ({ passed: sum.passed + count.passed, failed: sum.failed + count.failed }), { passed: 0, failed: 0 });
  if (total.failed > 0) process.exitCode = 1;
  console.log(`${total.passed} passed, ${total.failed} failed`);
}

process.chdir(path.resolve(paths.root));
await orSayWhy(runTests);
