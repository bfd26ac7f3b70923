import path from 'node:path';
import type { Command } from 'commander';
import type { KeeperEngine } from '../engine/keeper-engine.js';
import { openEngine } from '../engine/open-engine.js';
import { withProgress } from './progress.js';

/** Options that every command has. */
export interface CommonOptions {
  readonly dir: string;
  readonly json?: true;
}

const defaultDir = '.appshot/shot';

/** A command with the options that all have. */
export function commonCommand(program: Command, nameAndArguments: string, description: string): Command {
  return program.command(nameAndArguments)
    .description(description)
    .option('--dir <dir>', 'directory of the engine; holds everything', process.env['APPSHOT_DIR'] ?? defaultDir)
    .option('--json', 'print JSON');
}

/** Does one thing with the engine of `--dir`, showing on a terminal that it goes on. @throws EngineError */
export async function withEngine<T>(options: CommonOptions, what: string, work: (engine: KeeperEngine) => Promise<T>): Promise<T> {
  return withProgress(what, async () => {
    const engine = await openEngine({ dir: path.resolve(options.dir) });
    try {
      return await work(engine);
    } finally {
      await engine.close();
    }
  }, { quiet: options.json === true });
}
