import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { openRunFolder, removeRun } from './lib/leftovers.mjs';
import { paths } from './lib/paths.mjs';
import { SetupProblem } from './lib/run-command.mjs';
import { ensureSystemPackages } from './lib/system-packages.mjs';
import { orSayWhy, setup } from './setup.mjs';

const say = (line) => process.stderr.write(`${line}\n`);

function choose(programs, names) {
  const unknown = names.filter((name) => !programs.some((program) => program.name === name));
  if (unknown.length > 0) throw new SetupProblem(`no program is named ${unknown.join(', ')}; there are ${programs.map(({ name }) => name).join(', ')}`);
  return names.length === 0 ? programs : programs.filter(({ name }) => names.includes(name));
}

/**
 * `npm run test:programs [-- --json] [-- NAME…]`: real servers of the distribution sleep, wake and are cloned; a table, or one
 * JSON object a line. Exit code 0 only when every one came through.
 */
async function main() {
  const { values, positionals } = parseArgs({ options: { json: { type: 'boolean', default: false } }, allowPositionals: true });
  await setup();
  if (process.getuid?.() !== 0) throw new SetupProblem('the programs run in real instances, which needs root: run "sudo npm run test:programs"');
  const { register } = await import('tsx/esm/api');
  register();
  const { formatOutcomes, programs, runPrograms } = await import(pathToFileURL(path.join(paths.root, 'packages/node-agent/test/programs/run.ts')).href);
  const chosen = choose(programs, positionals);
  await ensureSystemPackages(['packages-programs.txt'], (line) => say(`setup: ${line}`), chosen.flatMap((program) => program.packages));
  const folder = await openRunFolder();
  process.env.TMPDIR = folder;
  try {
    const outcomes = await runPrograms(chosen, (outcome) => {
      say(`${outcome.program}: ${outcome.failed === '' ? 'as it was' : outcome.failed}`);
      if (values.json) console.log(JSON.stringify(outcome));
    });
    if (!values.json) console.log(formatOutcomes(outcomes));
    if (outcomes.some(({ failed }) => failed !== '')) process.exitCode = 1;
  } finally {
    await removeRun(folder);
  }
}

process.chdir(path.resolve(paths.root));
await orSayWhy(main);
