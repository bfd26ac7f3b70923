import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { LaunchSpec } from '../engine/engine.js';
import { afterDashes } from './after-dashes.js';
import { numberBetween } from './number-between.js';
import { print, started, startedForPeople } from './print.js';
import { commonCommand, type CommonOptions, withEngine } from './with-engine.js';

interface LaunchOptions extends CommonOptions {
  readonly aid: string;
  readonly user?: string;
  readonly volume: LaunchSpec['volumes'];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly port?: number;
  readonly ready?: string;
  readonly within: number;
  readonly memory?: number;
  readonly cpus?: number;
}

export function addLaunchCommand(program: Command): void {
  commonCommand(program, 'launch <command...>', 'Start a program in an instance of its own (give it behind --).')
    .requiredOption('--aid <aid>', 'name of the instance')
    .option('--user <user>', 'user of this machine to run as (default: an unprivileged id of its own)')
    .option('--volume <host:path>', 'show a file or directory of this machine inside, writable; may be repeated', addVolume, [])
    .option('--env <name=value>', 'environment variable; may be repeated', addVariable, {})
    .option('--cwd <dir>', 'directory to run in', process.cwd())
    .option('--port <port>', 'return when this TCP port answers', numberBetween(1, 65_535))
    .option('--ready <path>', 'return when an HTTP request for this path is answered with a status below 500')
    .option('--within <ms>', 'how long it may take to be ready', numberBetween(1, 3_600_000), 30_000)
    .option('--memory <mb>', 'memory limit', numberBetween(1, 1 << 24))
    .option('--cpus <n>', 'CPU limit', Number.parseFloat)
    // What follows the program's name belongs to the program.
    .passThroughOptions()
    .action(async (command: string[], options: LaunchOptions) => {
      const running = await withEngine(options, `launching ${options.aid}`, (engine) => engine.launch(specOf(afterDashes(command), options)));
      print(started(running), options, () => startedForPeople(running));
    });
}

function specOf(command: readonly string[], { aid, user, volume, env, cwd, port, ready, within, memory, cpus }: LaunchOptions): LaunchSpec {
  return {
    aid, command, env, cwd: path.resolve(cwd), volumes: volume, readyWithinMs: within,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    ...(ready === undefined ? {} : { readyPath: ready }),
    ...(memory === undefined ? {} : { memoryMb: memory }),
    ...(cpus === undefined ? {} : { cpus }),
  };
}

function addVolume(value: string, before: LaunchSpec['volumes']): LaunchSpec['volumes'] {
  const [host, inside, ...rest] = value.split(':');
  if (!host || !inside?.startsWith('/') || rest.length > 0) throw new InvalidArgumentError('HOST:PATH, PATH absolute');
  return [...before, { host: path.resolve(host), path: inside }];
}

function addVariable(value: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const equals = value.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('NAME=VALUE');
  return { ...before, [value.slice(0, equals)]: value.slice(equals + 1) };
}
