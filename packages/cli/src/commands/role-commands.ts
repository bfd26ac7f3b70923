import { FarmError, runRole } from '@appshot/runtime';
import { Option, type Command } from 'commander';

interface RoleOptions {
  readonly dir: string;
  readonly redis: string;
  readonly nats: string;
  readonly set: readonly string[];
}

type Settings = Record<string, string>;

/** KEY=VALUE pairs, as the roles' configuration schemas take them. @throws FarmError `bad-request` */
function settingsOf(pairs: readonly string[]): Settings {
  return Object.fromEntries(pairs.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw new FarmError('bad-request', `--set ${pair}: write KEY=VALUE`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  }));
}

function roleCommand(program: Command, name: string, description: string): Command {
  return program.command(name).description(description)
    .requiredOption('--dir <dir>', 'where the node keeps everything')
    .addOption(new Option('--redis <url>', 'the registry').env('APPSHOT_REDIS').makeOptionMandatory())
    .addOption(new Option('--nats <url>', 'the bus').env('APPSHOT_NATS').makeOptionMandatory())
    .option('--set <key=value...>', 'further settings', []);
}

/** Each role's package is loaded only where it runs: `appshot ps` should not wait for all of them. */
export function addRoleCommands(program: Command): void {
  roleCommand(program, 'gateway', 'run one gateway')
    .option('--http <host:port>', 'where visitors come in', '127.0.0.1:8080')
    .action(async (options: RoleOptions & { http: string }) => {
      await runRole('gateway', async () => {
        const { run } = await import('@appshot/gateway');
        return run({ redisUrl: options.redis, natsUrl: options.nats, http: options.http, ...settingsOf(options.set) });
      });
    });
  roleCommand(program, 'scheduler', 'run one scheduler, with the control API')
    .option('--api <host:port>', 'where the control API listens', '127.0.0.1:8081')
    .action(async (options: RoleOptions & { api: string }) => {
      await runRole('scheduler', async () => {
        const { run } = await import('@appshot/scheduler');
        return run({ redisUrl: options.redis, natsUrl: options.nats, api: options.api, ...settingsOf(options.set) });
      });
    });
  roleCommand(program, 'agent', 'run the agent of this node')
    .requiredOption('--node <name>', 'name of this node')
    .option('--addresses <cidr>', 'IPv4 addresses of the farm')
    .action(async (options: RoleOptions & { node: string; addresses?: string }) => {
      await runRole('agent', async () => {
        const { run } = await import('@appshot/node-agent');
        const { dir, node, addresses } = options;
        return run({ redisUrl: options.redis, natsUrl: options.nats, dir, node, ...(addresses && { addresses }), ...settingsOf(options.set) });
      });
    });
}
