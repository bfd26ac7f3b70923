import type { AppRecord, NodeRecord } from '@appshot/protocol';
import type { Command } from 'commander';
import { Apps, Instances, Nodes, type InstanceListing } from '../api/api-schemas.js';
import { formatAge, formatBytes } from '../output/format.js';
import { formatTable, type Column } from '../output/format-table.js';
import { apiCommand, contextOf, type ApiOptions } from './api-command.js';

export const instanceColumns = (now: number): Column<InstanceListing>[] => [
  { title: 'aid', cell: (row) => row.aid },
  { title: 'app', cell: (row) => row.app },
  { title: 'state', cell: (row) => row.state },
  { title: 'tier', cell: (row) => (row.zygote ? `${row.tier}+zygote` : row.tier) },
  { title: 'node', cell: (row) => row.node },
  { title: 'address', cell: (row) => (row.ip === null || row.port === null ? '-' : `${row.ip}:${row.port}`) },
  { title: 'pids', cell: (row) => String(row.pids), right: true },
  { title: 'memory', cell: (row) => (row.memoryBytes > 0 ? formatBytes(row.memoryBytes) : '-'), right: true },
  { title: 'since', cell: (row) => formatAge(now - row.since), right: true },
  { title: 'reason', cell: (row) => row.reason },
];

const appColumns = (now: number): Column<AppRecord>[] => [
  { title: 'app', cell: ({ spec }) => spec.name },
  { title: 'hosts', cell: ({ spec }) => spec.hosts.join(', ') || '-' },
  { title: 'exposed', cell: ({ spec }) => spec.expose.map(({ farmPort, port }) => `${farmPort} to ${port}`).join(', ') || '-' },
  { title: 'version', cell: ({ version }) => String(version), right: true },
  { title: 'on trial', cell: ({ trial }) => (trial === null ? '-' : `${trial.version} at ${trial.percent} %`) },
  { title: 'before', cell: ({ previous }) => String(previous?.version ?? '-'), right: true },
  { title: 'template', cell: ({ template }) => template ?? '-' },
  { title: 'deployed', cell: ({ deployedAt }) => formatAge(now - deployedAt), right: true },
];

export const nodeColumns = (now: number): Column<NodeRecord>[] => [
  { title: 'node', cell: ({ node }) => node },
  { title: 'seen', cell: ({ seenAt }) => formatAge(now - seenAt), right: true },
  { title: 'cpus', cell: ({ load }) => (load === null ? '-' : `${load.cpuUsed.toFixed(1)}/${load.cpus}`), right: true },
  { title: 'free memory', cell: ({ load }) => (load === null ? '-' : `${formatBytes(load.memoryAvailableBytes)} of ${formatBytes(load.memoryTotalBytes)}`), right: true },
  { title: 'pressure cpu/mem/io', cell: ({ load }) => (load?.pressure ? [load.pressure.cpu, load.pressure.memory, load.pressure.io].map((share) => `${share.toFixed(0)}%`).join(' ') : '-'), right: true },
  { title: 'instances', cell: ({ load }) => String(load?.instances.length ?? '-'), right: true },
  { title: 'free slots', cell: ({ load }) => String(load?.slotsFree ?? '-'), right: true },
];

/** apps, ps, nodes. */
export function addListCommands(program: Command): void {
  apiCommand(program, 'apps', 'list the apps').action(async (options: ApiOptions) => {
    const { api, print } = contextOf(options);
    const apps = await api.get('/apps', Apps);
    print(apps, formatTable(apps, appColumns(Date.now())));
  });
  apiCommand(program, 'ps', 'list the instances, awake and asleep').action(async (options: ApiOptions) => {
    const { api, print } = contextOf(options);
    const instances = await api.get('/instances', Instances);
    print(instances, formatTable(instances, instanceColumns(Date.now())));
  });
  apiCommand(program, 'nodes', 'list the nodes and their load').action(async (options: ApiOptions) => {
    const { api, print } = contextOf(options);
    const nodes = await api.get('/nodes', Nodes);
    print(nodes, formatTable(nodes, nodeColumns(Date.now())));
  });
}
