import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildFuzzer } from './lib/native-variants.mjs';
import { paths } from './lib/paths.mjs';
import { runCommand } from './lib/run-command.mjs';
import { ensureSystemPackages } from './lib/system-packages.mjs';
import { orSayWhy } from './setup.mjs';

/** Feeds the image reader with broken images for so long. What it learned is kept in .build/fuzz-corpus; throws when it crashed. */
export async function fuzz(seconds, { show = true } = {}) {
  const fuzzer = await buildFuzzer();
  const corpus = path.join(paths.build, 'fuzz-corpus'), found = path.join(paths.build, 'fuzz-found/');
  for (const folder of [corpus, found]) await mkdir(folder, { recursive: true });
  const scratch = await mkdtemp(path.join(tmpdir(), 'appshot-fuzz-'));
  const env = { TMPDIR: scratch };
  try {
    await runCommand(fuzzer, ['--seeds', corpus], { env });
    await runCommand(fuzzer, [`-max_total_time=${seconds}`, '-max_len=65536', '-rss_limit_mb=1024', '-timeout=10', '-print_final_stats=1', `-artifact_prefix=${found}`, corpus],
      { env, show, remedy: `the image reader failed; the image that did it stands in ${found}` });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** `npm run fuzz -- --seconds N` */
async function main() {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
  await ensureSystemPackages(['packages.txt', 'packages-test.txt'], (line) => process.stderr.write(`setup: ${line}\n`));
  await fuzz(Number(values.seconds));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(path.resolve(paths.root));
  await orSayWhy(main);
}
