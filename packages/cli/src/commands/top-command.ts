import { setTimeout as pause } from 'node:timers/promises';
import type { NodeRecord } from '@appshot/protocol';
import type { Command } from 'commander';
import { Nodes, Top } from '../api/api-schemas.js';
import { formatBytes, formatMs } from '../output/format.js';
import { formatTable, type Column } from '../output/format-table.js';
import { apiCommand, contextOf, type ApiOptions } from './api-command.js';
import { nodeColumns } from './list-commands.js';
import { untilSignal } from './until-signal.js';

const columns: Column<Top['apps'][number]>[] = [
  { title: 'app', cell: (row) => row.app },
  { title: 'instances', cell: (row) => Object.entries(row.states).map(([state, count]) => `${count} ${state}`).join(', ') },
  { title: 'requests/s', cell: (row) => row.arrivedPerS.toFixed(1), right: true },
  { title: 'in flight', cell: (row) => String(row.inFlight), right: true },
  { title: 'held', cell: (row) => String(row.held), right: true },
  { title: 'p95', cell: (row) => (row.p95Ms === null ? '-' : formatMs(row.p95Ms)), right: true },
  { title: 'cpus', cell: (row) => row.cpuUsed.toFixed(2), right: true },
  { title: 'memory', cell: (row) => (row.memoryBytes > 0 ? formatBytes(row.memoryBytes) : '-'), right: true },
];

const everyMs = 1_000;

const pageOf = (nodes: readonly NodeRecord[], top: Top): string =>
  `${formatTable(nodes, nodeColumns(top.at))}\n\n${formatTable(top.apps, columns)}`;

export function addTopCommand(program: Command): void {
  apiCommand(program, 'top', 'show each app\'s load, again each second on a terminal').action(async (options: ApiOptions) => {
    const { api, json, print } = contextOf(options);
    const show = async (): Promise<{ top: Top; page: string }> => {
      const [nodes, top] = await Promise.all([api.get('/nodes', Nodes), api.get('/top', Top)]);
      return { top, page: pageOf(nodes, top) };
    };
    if (json || !process.stdout.isTTY) {
      const { top, page } = await show();
      print(top, page);
      return;
    }
    for (const signal = untilSignal(); !signal.aborted;) {
      process.stdout.write(`\x1b[H\x1b[2J${(await show()).page}\n`);
      await pause(everyMs, undefined, { signal }).catch(() => undefined);
    }
  });
}
