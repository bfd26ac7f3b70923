import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CloneSpec, parseRules, portClashes, type Rule } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { type Command, InvalidArgumentError, Option } from 'commander';
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
  readonly name?: string;
  readonly rules?: readonly Rule[];
  readonly cloneSignal?: string;
  readonly cloneHook?: string;
  readonly cloneWithin?: number;
  readonly duplicateRandomness?: true;
  readonly asyncIo?: true;
  readonly egress?: true;
  readonly connections: NonNullable<LaunchSpec['connections']>;
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
    .option('--name <name>', 'what rules call application-name (default: the AID)')
    .option('--rules <file>', 'rules: what clones share and what each gets of its own (docs/rules.md)', readRules)
    .option('--clone-signal <signal>', 'tell a fresh clone by this signal')
    .option('--clone-hook <path>', 'ask a fresh clone for this path before it counts as running')
    .option('--clone-within <ms>', 'how long a clone may take to be itself', numberBetween(10, 60_000))
    .option('--duplicate-randomness', 'clone also programs whose random numbers cannot be renewed')
    .option('--async-io', 'let it use io_uring and Linux AIO: it cannot be saved while it does')
    .option('--egress', 'let it open connections to what is beyond this machine')
    .addOption(new Option('--connections <what>', 'what becomes of connections to the outside when it sleeps').choices(['auto', 'keep', 'reset']).default('auto'))
    // What follows the program's name belongs to the program.
    .passThroughOptions()
    .action(async (command: string[], options: LaunchOptions) => {
      const running = await withEngine(options, `launching ${options.aid}`, (engine) => engine.launch(specOf(afterDashes(command), options)));
      print(started(running), options, () => startedForPeople(running));
    });
}

function specOf(command: readonly string[], options: LaunchOptions): LaunchSpec {
  const { aid, user, volume, env, cwd, port, ready, within, memory, cpus, connections } = options;
  const [clash] = portClashes(options.rules ?? [], { port });
  if (clash !== undefined) throw new FarmError('bad-request', `line ${clash.line} of the rules keeps port ${clash.port} inside, and --port has it reached from outside: one of the two`);
  return {
    aid, command, env, cwd: path.resolve(cwd), volumes: volume, readyWithinMs: within, connections,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    ...(ready === undefined ? {} : { readyPath: ready }),
    ...(memory === undefined ? {} : { memoryMb: memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.rules === undefined ? {} : { rules: options.rules }),
    ...(options.asyncIo === undefined ? {} : { asyncIo: true }),
    ...(options.egress === undefined ? {} : { egress: true }),
    clone: cloneOf(options),
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

function cloneOf({ cloneSignal, cloneHook, cloneWithin, duplicateRandomness }: LaunchOptions): CloneSpec {
  const given = { signal: cloneSignal?.replace(/^SIG/, ''), hook: cloneHook, withinMs: cloneWithin, duplicateRandomness };
  const parsed = CloneSpec.safeParse(given);
  if (!parsed.success) throw new FarmError('bad-request', parsed.error.issues.map(({ path: [option], message }) => `clone ${String(option)}: ${message}`).join('; '));
  return parsed.data;
}

/** Every wrong line is told, with its number in the file. */
function readRules(file: string): readonly Rule[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new InvalidArgumentError(`it cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { rules, problems } = parseRules(text);
  if (problems.length > 0) throw new InvalidArgumentError(`\n${problems.map(({ line, problem, allowed }) => `  ${file}:${line}: ${problem} (allowed: ${allowed})`).join('\n')}`);
  return rules;
}
