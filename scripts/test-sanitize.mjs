import path from 'node:path';
import { buildSanitizedTests } from './lib/native-variants.mjs';
import { paths } from './lib/paths.mjs';
import { runCommand } from './lib/run-command.mjs';
import { ensureSystemPackages } from './lib/system-packages.mjs';
import { orSayWhy } from './setup.mjs';

/** `npm run test:sanitize`: the core's unit tests under AddressSanitizer and UndefinedBehaviorSanitizer. Not in `npm test`: the build of its own takes a minute or two. */
process.chdir(path.resolve(paths.root));
await orSayWhy(async () => {
  await ensureSystemPackages(['packages.txt', 'packages-test.txt'], (line) => process.stderr.write(`setup: ${line}\n`));
  const tests = await buildSanitizedTests();
  await runCommand(tests, [], { show: true, env: { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' }, remedy: 'the unit tests failed under the sanitizers' });
});
