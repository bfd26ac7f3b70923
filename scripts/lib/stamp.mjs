import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { paths } from './paths.mjs';

const skipped = new Set(['node_modules', 'dist', 'build', '.git', '.build']);

/** All files below a folder, or the file itself; sorted, what is built left out. Nothing when it does not exist. */
async function filesBelow(entry) {
  const listed = await readdir(entry, { withFileTypes: true }).catch((error) => error.code);
  if (listed === 'ENOTDIR') return [entry];
  if (!Array.isArray(listed)) return [];
  const inner = await Promise.all(listed
    .filter((item) => !skipped.has(item.name))
    .map((item) => (item.isDirectory() ? filesBelow(path.join(entry, item.name)) : [path.join(entry, item.name)])));
  return inner.flat().sort();
}

async function hashOf(inputs) {
  const hash = createHash('sha256').update(process.version);
  for (const input of inputs) {
    for (const file of await filesBelow(path.join(paths.root, input))) {
      hash.update(path.relative(paths.root, file)).update('\0').update(await readFile(file)).update('\0');
    }
  }
  return hash.digest('hex');
}

/**
 * Runs `work` unless it succeeded before with the very same inputs (files and folders, relative to the root) and what it
 * made (`outputs`) still stands. Returns whether it ran.
 */
export async function unlessDone(name, { inputs, outputs }, work) {
  const stamp = path.join(paths.stamps, name);
  const wanted = await hashOf(inputs);
  const had = await readFile(stamp, 'utf8').catch(() => '');
  const missing = (await Promise.all(outputs.map((output) => filesBelow(path.join(paths.root, output))))).some((found) => found.length === 0);
  if (had === wanted && !missing) return false;
  await work();
  await mkdir(paths.stamps, { recursive: true });
  // Hashed before the work: whoever edits a file meanwhile gets another run, not a stale build.
  await writeFile(stamp, wanted);
  return true;
}
