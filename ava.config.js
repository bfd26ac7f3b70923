import { tmpdir } from 'node:os';
import { closeRunFolder, openRunFolder } from './scripts/lib/leftovers.mjs';

/** `npm test` gives its runs a folder for temporary files; where ava is run by itself, the run has one of its own. */
async function temporaryFolder() {
  if (process.env.TMPDIR !== undefined) return tmpdir();
  const folder = await openRunFolder();
  process.once('exit', () => {
    const left = closeRunFolder(folder);
    if (left.length > 0) console.error(`left in ${folder}, which the next run removes: ${left.join(', ')}`);
  });
  return folder;
}

/** Every package's tests and the tests of the whole farm, TypeScript loaded as it stands. */
export default {
  files: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  environmentVariables: { TMPDIR: await temporaryFolder() },
  // Tests start real servers, and machines that run them may be small and busy.
  // Of nothing at all being heard of any test; one that waits for a condition is told by its own limit (patienceMs) long before.
  timeout: '10m',
  concurrency: 2,
  workerThreads: false,
};
