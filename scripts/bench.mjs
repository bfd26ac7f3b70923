import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { formatRows } from './lib/bench-table.mjs';
import { openRunFolder, removeRun } from './lib/leftovers.mjs';
import { paths } from './lib/paths.mjs';
import { orSayWhy, setup } from './setup.mjs';
import { SetupProblem } from './lib/run-command.mjs';

/** Cases: every function that a file bench/*.ts exports, named FILE/FUNCTION. */
async function loadCases() {
  const { register } = await import('tsx/esm/api');
  register();
  const files = (await readdir(path.join(paths.root, 'bench'))).filter((name) => name.endsWith('.ts')).sort();
  const loaded = await Promise.all(files.map(async (file) => {
    const module = await import(pathToFileURL(path.join(paths.root, 'bench', file)).href);
    return Object.entries(module).filter(([, value]) => typeof value === 'function')
      .map(([name, run]) => ({ name: `${path.basename(file, '.ts')}/${name}`, run }));
  }));
  return loaded.flat();
}

const isChosen = (name, wanted) => wanted.length === 0 || wanted.some((want) => name === want || name.split('/').includes(want));

/**
 * `npm run bench [-- --json] [--only NAME] [case…]`: a table, or one JSON object a line. Progress goes to standard error.
 * `--only`: of a case that measures several programs (wakes, engine, clones), only those with NAME in their names.
 */
async function runBench() {
  const { values, positionals } = parseArgs({ options: { json: { type: 'boolean', default: false }, only: { type: 'string', default: '' } }, allowPositionals: true });
  await setup({ bench: true });
  const cases = (await loadCases()).filter(({ name }) => isChosen(name, positionals));
  if (cases.length === 0) throw new SetupProblem(`no benchmark case is named ${positionals.join(', ')}: see bench/`);
  const folder = await openRunFolder();
  process.env.TMPDIR = folder;
  try {
    await measure(cases, values);
  } finally {
    await removeRun(folder);
  }
}

async function measure(cases, { only, json }) {
  const all = [];
  for (const { name, run } of cases) {
    process.stderr.write(`bench: ${name}\n`);
    const rows = await run(only);
    if (rows.length === 0) throw new SetupProblem(`${name} measures nothing that is named ${only}`);
    all.push(...rows);
    if (json) for (const row of rows) console.log(JSON.stringify(row));
  }
  if (!json) console.log(formatRows(all));
}

process.chdir(paths.root);
await orSayWhy(runBench);
