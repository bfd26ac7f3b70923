import { InvalidArgumentError, type Command } from 'commander';
import type { ResourceId, ResourceIdQuery } from '@appshot/protocol';
import { Anything, Outcomes, type Outcome, ResourceIds } from '../api/api-schemas.js';
import { formatPhases } from '../output/format.js';
import { type Column, formatTable } from '../output/format-table.js';
import { formatTree } from '../output/format-tree.js';
import { withProgress } from '../output/progress.js';
import { apiCommand, contextOf, type ApiOptions } from './api-command.js';

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on');
  return value;
}

const ridColumns: Column<ResourceId>[] = [
  { title: 'type', cell: ({ type }) => type },
  { title: 'virtual', cell: ({ virtual }) => String(virtual) },
  { title: 'system', cell: ({ system }) => String(system) },
];

const linesOf = (outcomes: readonly Outcome[], done: string): string => (outcomes.length === 0 ? 'nothing to do'
  : outcomes.map(({ aid, phases }) => `${aid}: ${done}${phases && Object.keys(phases).length > 0 ? ` (${formatPhases(phases)})` : ''}`).join('\n'));

/** A verb of the control API that takes a target and answers for each instance when it is done. */
function addTargetVerb(program: Command, verb: 'wake' | 'sleep' | 'stop', words: { description: string; doing: string; done: string }): void {
  apiCommand(program, `${verb} <app|aid>`, words.description).action(async (target: string, options: ApiOptions) => {
    const { api, json, print } = contextOf(options);
    const outcomes = await withProgress(`${words.doing} ${target}`, () => api.post(`/${verb}`, { target }, Outcomes), { quiet: json });
    print(outcomes, linesOf(outcomes, words.done));
  });
}

/** wake, sleep, stop, clone, move, template, inspect, rids. */
export function addInstanceCommands(program: Command): void {
  addTargetVerb(program, 'wake', { description: 'bring a sleeping app or instance back; returns when it is ready', doing: 'waking', done: 'ready' });
  addTargetVerb(program, 'sleep', { description: 'save an app or instance as an image; returns when it sleeps', doing: 'putting to sleep:', done: 'asleep' });
  addTargetVerb(program, 'stop', { description: 'end an app\'s instances or one instance for good', doing: 'stopping', done: 'gone' });
  apiCommand(program, 'clone <app>', 'make more instances from the app\'s template')
    .requiredOption('--count <n>', 'how many', wholeNumber)
    .option('--parked', 'frozen before they serve anybody: a wake or more load lets them run within a millisecond')
    .action(async (app: string, options: ApiOptions & { count: number; parked?: true }) => {
      const { api, json, print } = contextOf(options);
      const parked = options.parked === true;
      const outcomes = await withProgress(`cloning ${app}`, () => api.post('/clone', { app, count: options.count, parked }, Outcomes), { quiet: json });
      print(outcomes, linesOf(outcomes, parked ? 'parked' : 'ready'));
    });
  apiCommand(program, 'move <aid>', 'move an instance to another node')
    .requiredOption('--to <node>', 'where to')
    .action(async (aid: string, options: ApiOptions & { to: string }) => {
      const { api, print } = contextOf(options);
      print(await api.post('/move', { aid, to: options.to }, Anything), `${aid}: moved to ${options.to}`);
    });
  apiCommand(program, 'template <app>', 'make the app\'s template from a running instance now').action(async (app: string, options: ApiOptions) => {
    const { api, json, print } = contextOf(options);
    print(await withProgress(`making a template of ${app}`, () => api.post('/template', { app }, Anything), { quiet: json }), `${app}: has a template`);
  });
  apiCommand(program, 'inspect <aid|image>', 'show everything known of an instance or image: each resource, and what a clone does with it').action(async (id: string, options: ApiOptions) => {
    const { api, print } = contextOf(options);
    const found = await api.get(`/inspect/${encodeURIComponent(id)}`, Anything);
    print(found, formatTree(found));
  });
  apiCommand(program, 'rids <aid>', 'show what an instance calls its resources beside what its node calls them')
    .option('--type <type>', 'only these: pid, thread, shm, sem, msg, port, udp-port, ip, path')
    .option('--virtual <id>', 'only what the instance calls so')
    .option('--system <id>', 'only what the node calls so')
    .action(async (aid: string, { type, virtual, system, ...options }: ApiOptions & ResourceIdQuery) => {
      const { api, print } = contextOf(options);
      const rids = await api.get(`/rids/${encodeURIComponent(aid)}`, ResourceIds, { type, virtual, system });
      print(rids, formatTable(rids.rids, ridColumns));
    });
}
