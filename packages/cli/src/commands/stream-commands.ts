import { setTimeout as pause } from 'node:timers/promises';
import type { FarmEvent } from '@appshot/protocol';
import type { Command } from 'commander';
import type { ApiClient } from '../api/api-client.js';
import { Anything, Instances, Nodes } from '../api/api-schemas.js';
import { formatPhases } from '../output/format.js';
import { formatTable } from '../output/format-table.js';
import { apiCommand, contextOf, type ApiOptions } from './api-command.js';
import { instanceColumns, nodeColumns } from './list-commands.js';

interface FollowOptions extends ApiOptions { readonly follow?: boolean }

/** Aborted by Ctrl-C and SIGTERM: the ordinary end of a command that follows. */
function untilSignal(): AbortSignal {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort());
  return abort.signal;
}

/** Whole lines of a text that comes in pieces. */
async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
  if (rest !== '') yield rest;
}

export function eventLine(event: FarmEvent): string {
  const time = new Date(event.at).toISOString().slice(11, 23);
  const what = [event.type, event.app, event.aid].filter((part) => part !== null).join(' ');
  const phases = formatPhases(event.phases);
  return `${time}  ${what}: ${event.because}${phases === '' ? '' : ` (${phases})`}`;
}

async function showTop(api: ApiClient): Promise<string> {
  const [nodes, instances] = await Promise.all([api.get('/nodes', Nodes), api.get('/instances', Instances)]);
  const now = Date.now();
  const awake = instances.filter(({ state }) => state !== 'asleep').sort((a, b) => b.memoryBytes - a.memoryBytes);
  return [formatTable(nodes, nodeColumns(now)), '', `${awake.length} awake, ${instances.length - awake.length} asleep`, '', formatTable(awake, instanceColumns(now))].join('\n');
}

/** logs, events, top. */
export function addStreamCommands(program: Command): void {
  apiCommand(program, 'logs <app|aid>', 'print what an app or instance printed')
    .option('-f, --follow', 'go on as it prints more')
    .action(async (target: string, options: FollowOptions) => {
      const { api } = contextOf(options);
      for await (const piece of api.stream(`/logs/${encodeURIComponent(target)}`, { follow: options.follow ? 1 : undefined }, untilSignal())) process.stdout.write(piece);
    });
  apiCommand(program, 'events', 'print what the farm decided and did')
    .option('-f, --follow', 'go on as more happens')
    .option('--after <id>', 'only what came after this')
    .action(async (options: FollowOptions & { after?: string }) => {
      const { api, json } = contextOf(options);
      const query = { follow: options.follow ? 1 : undefined, after: options.after };
      for await (const line of linesOf(api.stream('/events', query, untilSignal()))) console.log(json ? line : eventLine(JSON.parse(line) as FarmEvent));
    });
  apiCommand(program, 'top', 'show nodes and running instances, again each second').action(async (options: ApiOptions) => {
    const { api, json } = contextOf(options);
    if (json || !process.stdout.isTTY) {
      console.log(json ? JSON.stringify(await api.get('/top', Anything)) : await showTop(api));
      return;
    }
    for (const signal = untilSignal(); !signal.aborted;) {
      process.stdout.write(`\x1b[H\x1b[2J${await showTop(api)}\n`);
      await pause(1_000, undefined, { signal }).catch(() => undefined);
    }
  });
}
