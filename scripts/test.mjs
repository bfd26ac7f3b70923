import path from 'node:path';
import { summaryOf } from './lib/failures.mjs';
import { leftIn, openRunFolder, removeRun } from './lib/leftovers.mjs';
import { paths } from './lib/paths.mjs';
import { SetupProblem } from './lib/run-command.mjs';
import { runAva, runCtest, runFuzz, runLint } from './lib/test-runners.mjs';
import { orSayWhy, setup } from './setup.mjs';

/** `npm test`: sets up, then lint, the native core's tests, all others. Last come the reasons of what failed, in short, and `N passed, N failed`. */
async function runTests() {
  await setup({ test: true });
  if (process.getuid?.() !== 0) throw new SetupProblem('the tests start real farms, which needs root: run "sudo npm test"');
  const folder = await openRunFolder();
  const results = [];
  try {
    for (const run of [runLint, runCtest, runFuzz, runAva]) results.push(await run({ TMPDIR: folder, FORCE_COLOR: '0' }));
    for (const left of leftIn(folder)) console.log(`# left behind by a test: ${left}`);
  } finally {
    await removeRun(folder);
  }
  const failures = results.flatMap((one) => one.failures);
  if (failures.length > 0) process.exitCode = 1;
  for (const line of summaryOf(failures)) console.log(line);
  console.log(`${results.reduce((sum, { passed }) => sum + passed, 0)} passed, ${failures.length} failed`);
}

process.chdir(path.resolve(paths.root));
await orSayWhy(runTests);
