import { access, rm, writeFile } from 'node:fs/promises';
import { runCommand } from './run-command.mjs';

const policyFile = '/usr/sbin/policy-rc.d';

/**
 * Debian starts a daemon as soon as its package is installed, unless this file says no. Ours says no only while this
 * process lives, so that one left behind by a killed setup changes nothing on the user's machine.
 */
const policyText = (pid) => `#!/bin/sh\n# AppShot's setup: no daemon starts while its packages are installed.\n[ -d /proc/${pid} ] && exit 101\nexit 0\n`;

async function withDaemonsHeld(work) {
  const ours = await access(policyFile).then(() => false, () => true);
  if (ours) await writeFile(policyFile, policyText(process.pid), { mode: 0o755 });
  try {
    return await work();
  } finally {
    if (ours) await rm(policyFile, { force: true });
  }
}

/** The services that a package brought: farms run daemons of their own, so these shall not start at the next boot either. */
async function disableServicesOf(names) {
  if (!await access('/run/systemd/system').then(() => true, () => false)) return;
  const { output } = await runCommand('dpkg', ['-L', ...names], { allowFailure: true });
  const units = [...output.matchAll(/\/systemd\/system\/([^/\s@]+\.service)$/gm)].map((match) => match[1]);
  if (units.length > 0) await runCommand('systemctl', ['disable', '--quiet', ...new Set(units)], { allowFailure: true });
}

const env = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', APT_LISTCHANGES_FRONTEND: 'none' };
const install = (names) => runCommand('apt-get', [
  'install', '-y', '-q', '--no-install-recommends', '--no-upgrade', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3', ...names,
], { env, tries: 2, remedy: `apt-get could not install ${names.join(' ')} (offline?); install them by hand and run this again` });

/** Installs packages that are missing; no daemon is started, enabled or restarted by it. */
export async function installQuietly(names) {
  await withDaemonsHeld(async () => {
    const update = await runCommand('apt-get', ['update', '-q', '-o', 'Acquire::Retries=3'], { env, tries: 2, allowFailure: true });
    if (update.status !== 0) process.stderr.write('  apt-get update failed; trying with the package lists at hand\n');
    await install(names);
  });
  await disableServicesOf(names);
}
