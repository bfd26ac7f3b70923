import type { FarmEvent } from '@appshot/protocol';
import type { Command } from 'commander';
import { formatPhases } from '../output/format.js';
import { apiCommand, contextOf, type ApiOptions } from './api-command.js';
import { untilSignal } from './until-signal.js';

interface FollowOptions extends ApiOptions { readonly follow?: boolean }

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

/** logs, events. */
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
}
