import { exitCodeOf, FarmError } from '@appshot/runtime';
import { Command, CommanderError } from 'commander';
import { addImageCommands } from './image-commands.js';
import { addInspectCommands } from './inspect-commands.js';
import { addInstanceCommands } from './instance-commands.js';
import { addLaunchCommand } from './launch-command.js';
import { addProcessCommands } from './process-commands.js';
import { printError } from './print.js';

/** Runs one command line of `shot`: the engine by itself. Exit code 0 done, 1 failed, 2 wrong usage; of `exec`, the command's own. */
export async function runShot(args: readonly string[]): Promise<number> {
  const program = new Command('shot')
    .description('The AppShot engine by itself: launches, saves, restores and clones programs. Everything is under --dir.')
    .version('0.1.0')
    .enablePositionalOptions()
    .showHelpAfterError('(shot --help lists the commands)');
  let exitCode = 0;
  addLaunchCommand(program);
  addImageCommands(program);
  addInspectCommands(program);
  addInstanceCommands(program);
  addProcessCommands(program, (code) => { exitCode = code; });
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const failure = FarmError.from(error);
    printError(failure, { json: isJsonAsked(args) });
    return exitCodeOf(failure.code);
  }
}

/** What stands behind `--` belongs to the program that is launched. */
function isJsonAsked(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).includes('--json');
}
