import { readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureNodeHeaders } from './lib/node-headers.mjs';
import { paths } from './lib/paths.mjs';
import { ensurePnpm } from './lib/pnpm.mjs';
import { runCommand, SetupProblem } from './lib/run-command.mjs';
import { withSetupLock } from './lib/setup-lock.mjs';
import { unlessDone } from './lib/stamp.mjs';
import { ensureSystemPackages } from './lib/system-packages.mjs';

const say = (line) => process.stderr.write(`setup: ${line}\n`);

function checkMachine() {
  const major = Number.parseInt(process.versions.node, 10);
  if (major < 20) throw new SetupProblem(`Node.js 20 or newer is needed, this is ${process.version}: install it from https://nodejs.org`);
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new SetupProblem(`Linux on x86-64 is needed, this is ${process.platform} on ${process.arch}`);
}

const packageFiles = async () => {
  const packages = await readdir(path.join(paths.root, 'packages'));
  return ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'native/binding/package.json', ...packages.map((name) => `packages/${name}/package.json`)];
};

async function installNodePackages() {
  const inputs = await packageFiles();
  await unlessDone('node-packages', { inputs, outputs: ['node_modules/.modules.yaml'] }, async () => {
    await ensurePnpm(say);
    say('installing Node.js packages');
    await runCommand('pnpm', ['install', '--frozen-lockfile', '--config.confirmModulesPurge=false'],
      { tries: 3, remedy: 'The packages could not be fetched (offline?); run this again with a connection to registry.npmjs.org' });
  });
}

const buildNative = () => unlessDone('native', { inputs: ['native'], outputs: ['native/build/build.ninja'] }, async () => {
  await ensureNodeHeaders(say);
  say('building the native core');
  await runCommand('cmake', ['-S', 'native', '-B', paths.nativeBuild, '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=RelWithDebInfo']);
  await runCommand('cmake', ['--build', paths.nativeBuild, '--parallel', String(os.availableParallelism())]);
});

async function buildTypeScript() {
  const packages = await readdir(path.join(paths.root, 'packages'));
  const inputs = ['tsconfig.json', 'tsconfig.base.json', 'pnpm-lock.yaml', ...packages.flatMap((name) => [`packages/${name}/src`, `packages/${name}/tsconfig.json`])];
  const outputs = packages.map((name) => `packages/${name}/dist/index.js`);
  await unlessDone('typescript', { inputs, outputs }, async () => {
    say('compiling TypeScript');
    await runCommand('node_modules/.bin/tsc', ['-b']);
  });
}

const buildExamples = () => unlessDone('examples', { inputs: ['examples/c-hello'], outputs: ['examples/c-hello/build/c-hello'] }, async () => {
  say('compiling the example sites');
  await runCommand('sh', ['examples/c-hello/build.sh']);
});

/** Makes this folder ready to run; quick when it is. `test`, `bench`: also what only the tests, or the benchmarks, need. */
export async function setup({ test = false, bench = false } = {}) {
  checkMachine();
  await withSetupLock(say, async () => {
    await ensureSystemPackages(['packages.txt', ...(test ? ['packages-test.txt'] : []), ...(bench ? ['packages-bench.txt'] : [])], say);
    await installNodePackages();
    await buildNative();
    await buildTypeScript();
    await buildExamples();
  });
}

/** Runs a script's body; a SetupProblem becomes its one line and exit code 1. */
export async function orSayWhy(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    if (error.said) process.stderr.write(`${error.said}\n`);
    process.stderr.write(`appshot: ${error.message}\n`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await orSayWhy(async () => {
    await setup({ test: process.argv.includes('--test') });
    say('ready');
  });
}
