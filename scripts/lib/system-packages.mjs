import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { installQuietly } from './apt-get.mjs';
import { paths, toolPath } from './paths.mjs';
import { runCommand, SetupProblem } from './run-command.mjs';

const exists = (file) => access(file).then(() => true, () => false);

async function onPath(command) {
  for (const folder of toolPath().split(':')) if (folder && await exists(path.join(folder, command))) return true;
  return false;
}

async function readList(file) {
  const text = await readFile(path.join(paths.root, 'scripts', file), 'utf8');
  return text.split('\n').map((line) => line.replace(/#.*/, '').trim()).filter(Boolean)
    .map((line) => { const [name, evidence] = line.split(/\s+/); return { name, evidence }; });
}

async function isThere({ name, evidence }) {
  if (evidence?.startsWith('/')) return exists(evidence);
  if (evidence) return onPath(evidence);
  const asked = await runCommand('dpkg-query', ['-W', '-f=${db:Status-Status}', name], { allowFailure: true }).catch(() => ({ status: 1 }));
  return asked.status === 0 && asked.output.trim() === 'installed';
}

/** Names of the packages in these lists (of `only` those, where given) that this machine lacks. */
export async function missingPackages(files, only) {
  const wanted = (await Promise.all(files.map(readList))).flat().filter(({ name }) => only === undefined || only.includes(name));
  const there = await Promise.all(wanted.map(isThere));
  return wanted.filter((_, index) => !there[index]).map((entry) => entry.name);
}

/** Installs what is missing, or says in one line what that is and what to do. `say` gets one line of progress. */
export async function ensureSystemPackages(files, say, only) {
  const missing = await missingPackages(files, only);
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (!await onPath('apt-get')) throw new SetupProblem(`missing: ${names}; this machine has no apt-get: install them (or what they are called here) and run this again`);
  if (process.getuid?.() !== 0) throw new SetupProblem(`missing: ${names}; not root: run this as root, or first "sudo apt-get install ${names}"`);
  say(`installing system packages: ${names}`);
  await installQuietly(missing);
  const still = await missingPackages(files, only);
  if (still.length > 0) throw new SetupProblem(`missing even after apt-get install: ${still.join(' ')}; install them by hand and run this again`);
}
