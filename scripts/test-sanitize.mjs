import path from 'node:path';
import { buildSanitizedTests } from './lib/native-variants.mjs';
import { paths } from './lib/paths.mjs';
import { runCommand } from './lib/run-command.mjs';
import { orSayWhy } from './setup.mjs';

/** `npm run test:sanitize`: the core's unit tests under AddressSanitizer and UndefinedBehaviorSanitizer. Not in `npm test`: the build takes minutes. */
process.chdir(path.resolve(paths.root));
await orSayWhy(async () => {
  const tests = await buildSanitizedTests();
  await runCommand(tests, [], { show: true, env: { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' }, remedy: 'the unit tests failed under the sanitizers' });
});
