import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { paths } from './lib/paths.mjs';
import { SetupProblem } from './lib/run-command.mjs';
import { orSayWhy, setup } from './setup.mjs';

/** npm starts this through a shell that passes no signal on: when that is gone, npm was told to end. */
function endWithNpm() {
  if (process.env.npm_lifecycle_event !== 'start') return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  timer.unref();
}

/** `npm start [-- options of appshot up]`: sets up what is missing and runs a farm here with the example sites. */
await orSayWhy(async () => {
  await setup();
  if (process.getuid?.() !== 0) throw new SetupProblem('a farm needs root (namespaces, cgroups): run "sudo npm start"');
  const examples = await readdir(path.join(paths.root, 'examples'));
  const deploys = examples.sort().map((name) => path.join(paths.root, 'examples', name, 'app.yaml'));
  const given = process.argv.slice(2);
  const dir = given.includes('--dir') ? [] : ['--dir', path.join(paths.root, '.appshot')];
  // In this very process, so that Ctrl-C and SIGTERM reach the farm without being passed on.
  endWithNpm();
  const { runCli } = await import('../packages/cli/dist/index.js');
  process.exitCode = await runCli(['up', ...dir, ...given, '--deploy', ...deploys]);
});
