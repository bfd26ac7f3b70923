import type { Command } from 'commander';
import { afterDashes } from './after-dashes.js';
import { numberBetween } from './number-between.js';
import { print, table } from './print.js';
import { commonCommand, type CommonOptions, withEngine } from './with-engine.js';

export function addProcessCommands(program: Command, exitWith: (code: number) => void): void {
  commonCommand(program, 'ps <aid>', 'Processes of an instance: id inside, id on this machine, name, state.')
    .action(async (aid: string, options: CommonOptions) => {
      const rows = await withEngine(options, '', (engine) => engine.ps(aid));
      print(rows, options, () => table(['vpid', 'pid', 'comm', 'state'], rows.map(({ vpid, pid, comm, state }) => [vpid, pid, comm, state])));
    });

  commonCommand(program, 'exec <aid> <command...>', 'Run a command inside an instance (give it behind --), with this terminal; exits as the command does.')
    .action(async (aid: string, command: string[], options: CommonOptions) => {
      exitWith(await withEngine(options, '', (engine) => engine.exec(aid, afterDashes(command), [0, 1, 2])));
    });

  commonCommand(program, 'kill <aid> [vpid]', 'Send a signal to a process of an instance, by default to its first.')
    .option('-s, --signal <signal>', 'name or number', 'TERM')
    .action(async (aid: string, vpid: string | undefined, options: CommonOptions & { readonly signal: string }) => {
      const target = vpid === undefined ? undefined : numberBetween(1, 1 << 22)(vpid);
      await withEngine(options, '', (engine) => engine.kill(aid, options.signal, target));
      print({ aid }, options, () => '');
    });
}
