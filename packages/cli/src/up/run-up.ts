import { createLogger, FarmError } from '@appshot/runtime';
import { ApiClient } from '../api/api-client.js';
import { Apps } from '../api/api-schemas.js';
import { deployFile } from '../commands/app-commands.js';
import { printError } from '../output/print-error.js';
import { withProgress } from '../output/progress.js';
import { Bedtime } from './bedtime.js';
import { parseHostPort } from './check-ports.js';
import { openFarmDir } from './farm-dir.js';
import { FarmLock } from './farm-lock.js';
import { FarmOnThisMachine } from './farm-on-this-machine.js';
import { checkSettings } from './role-specs.js';
import { nextSignal } from './next-signal.js';
import type { UpOptions } from './up-options.js';

const say = (line: string): void => { process.stderr.write(`${line}\n`); };

/** Runs a farm until a signal; returns when nothing of it is left. */
export async function runUp(options: UpOptions): Promise<void> {
  if (process.getuid?.() !== 0) throw new FarmError('bad-request', 'a farm needs root (namespaces, cgroups): run this as root');
  checkSettings(options.set);
  const dir = openFarmDir(options.dir);
  const lock = new FarmLock(dir);
  lock.acquire();
  const farm = new FarmOnThisMachine({ farm: dir, options, logger: createLogger('up'), say });
  const signal = nextSignal();
  const api = new ApiClient(`http://${options.api}`);
  let isUp = false;
  try {
    const started = farm.start().then(() => deployAll(api, options.deploy));
    isUp = (await Promise.race([started.then(() => 'up'), signal.first])) === 'up';
    if (isUp) {
      await announce(api, options, dir.root);
      await signal.first;
    }
    await quiesce(farm, api, signal.second);
  } finally {
    await farm.close();
    lock.release();
    signal.close();
  }
}

/** Sites that are there already go on as they are. A file that is refused is told and passed over: the farm is of use without it. */
async function deployAll(api: ApiClient, files: readonly string[]): Promise<void> {
  for (const file of files) {
    try {
      const { spec } = await withProgress(`deploying ${file}`, () => deployFile(api, file, { replace: false }));
      say(`deployed ${spec.name}`);
    } catch (error) {
      say(`${file} is not deployed:`);
      printError(FarmError.from(error), { json: false });
    }
  }
}

async function announce(api: ApiClient, options: UpOptions, dir: string): Promise<void> {
  const apps = await api.get('/apps', Apps);
  const { port } = parseHostPort(options.http, '--http');
  const sites = apps.flatMap(({ spec }) => spec.hosts.map((host) => `  ${spec.name.padEnd(12)} http://${host}:${port}/`));
  console.log([
    'ready', ...sites,
    `  control API  http://${options.api}`,
    `  metrics      http://${options.api}/metrics`,
    `  data, logs   ${dir}`,
  ].join('\n'));
}

/** Sites to sleep while the farm still works. A second signal skips it: what runs then runs on until the next `up`. */
async function quiesce(farm: FarmOnThisMachine, api: ApiClient, skip: Promise<unknown>): Promise<void> {
  say('ending: putting every site to sleep (a second signal leaves them running)');
  await farm.stopRole('gateway');
  const outcome = await Promise.race([
    new Bedtime(api, say).run().then((awake) => (awake.length > 0 ? `not put to sleep: ${awake.join(', ')}` : null), (error: unknown) => FarmError.from(error).message),
    skip.then(() => 'told again to end'),
  ]);
  if (outcome === null) return;
  say(`appshot: ${outcome}; what runs goes on, and the next "appshot up" here adopts it`);
  process.exitCode = 1;
}
