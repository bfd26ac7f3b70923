import os from 'node:os';
import { Option, type Command } from 'commander';
import type { UpOptions } from '../up/up-options.js';

/** The machine's name as the name of a node: letters, digits, "_" and "-". */
const nodeName = (): string => os.hostname().split('.')[0]?.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 64) || 'node';

export function addUpCommand(program: Command): void {
  program.command('up')
    .description('run a whole farm on this machine until Ctrl-C; sites sleep then, and are there again with the next up')
    .option('--dir <dir>', 'where the farm keeps everything', '.appshot')
    .option('--http <host:port>', 'where visitors come in', '127.0.0.1:8080')
    .option('--api <host:port>', 'where the control API listens', '127.0.0.1:8081')
    .addOption(new Option('--redis <url>', 'use this Redis instead of starting one').env('APPSHOT_REDIS'))
    .addOption(new Option('--nats <url>', 'use this NATS instead of starting one').env('APPSHOT_NATS'))
    .option('--addresses <cidr>', 'IPv4 addresses for instances, of no other use on this machine (default: 4,096 beginning somewhere from 10.128.0.0 to 10.207.240.0, by the folder)')
    .option('--node <name>', 'name of this node', nodeName())
    .option('--deploy <file...>', 'app files to deploy before it is ready', [])
    .option('--set <role.key=value...>', 'further settings of the roles', [])
    .action(async (options: UpOptions) => {
      // Loaded only here: the other commands should not wait for it.
      const { runUp } = await import('../up/run-up.js');
      await runUp(options);
    });
}
