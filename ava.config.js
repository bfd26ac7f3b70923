/** Every package's tests and the tests of the whole farm, TypeScript loaded as it stands. */
export default {
  files: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  // Tests start real servers, and machines that run them may be small and busy.
  // Of nothing at all being heard of any test; one that waits for a condition is told by its own limit (patienceMs) long before.
  timeout: '10m',
  concurrency: 2,
  workerThreads: false,
};
