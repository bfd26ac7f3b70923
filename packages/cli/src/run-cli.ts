import { exitCodeOf, FarmError } from '@appshot/runtime';
import { Command, CommanderError } from 'commander';
import { addAppCommands } from './commands/app-commands.js';
import { addInstanceCommands } from './commands/instance-commands.js';
import { addListCommands } from './commands/list-commands.js';
import { addRoleCommands } from './commands/role-commands.js';
import { addStreamCommands } from './commands/stream-commands.js';
import { addTopCommand } from './commands/top-command.js';
import { addUpCommand } from './commands/up-command.js';
import { printError } from './output/print-error.js';

/**
 * Runs one command line. Exit code 0 done, 1 failed, 2 wrong usage.
 * The role commands resolve when their role runs; the process then lives until a signal.
 */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = new Command('appshot')
    .description('A farm for web sites: idle sites sleep as snapshot images, the first request wakes them.')
    .version('0.1.0')
    .showHelpAfterError('(appshot --help lists the commands)');
  addUpCommand(program);
  addAppCommands(program);
  addListCommands(program);
  addInstanceCommands(program);
  addStreamCommands(program);
  addTopCommand(program);
  addRoleCommands(program);
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const failure = FarmError.from(error);
    printError(failure, { json: args.includes('--json') });
    return exitCodeOf(failure.code);
  }
}
