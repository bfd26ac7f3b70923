import { mkdir } from 'node:fs/promises';
import { paths } from './paths.mjs';
import { runCommand, SetupProblem } from './run-command.mjs';

const major = 10;

async function versionOf() {
  const asked = await runCommand('pnpm', ['--version'], { allowFailure: true, env: { npm_config_manage_package_manager_versions: 'false' } }).catch(() => null);
  return asked?.status === 0 ? asked.output.trim() : null;
}

/** Makes sure that `pnpm` on the tools' PATH is of the major version that wrote the lock file; else puts one into `.build`. */
export async function ensurePnpm(say) {
  const version = await versionOf();
  if (version !== null && Number.parseInt(version, 10) === major) return;
  say(`installing pnpm ${major} into .build/tools (${version === null ? 'there is none' : `there is ${version}`})`);
  await mkdir(paths.tools, { recursive: true });
  await runCommand('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', paths.tools, `pnpm@${major}`],
    { tries: 3, remedy: `pnpm ${major} is missing and npm cannot fetch it (offline?); install it by "npm install -g pnpm@${major}" and run this again` });
  if (await versionOf() === null) throw new SetupProblem(`pnpm ${major} does not run; install it by "npm install -g pnpm@${major}"`);
}
