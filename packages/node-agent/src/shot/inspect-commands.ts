import type { Command } from 'commander';
import { bytesForPeople, print, table } from './print.js';
import { commonCommand, type CommonOptions, withEngine } from './with-engine.js';

interface Resource { readonly type: string; readonly identity: string; readonly bytes: number; readonly class: string; readonly why: string }
interface RuleRow { readonly line: number; readonly kind: string; readonly subject: string; readonly value: string; readonly qualifier?: string }

/** An image for people: what it is of, its rules, and each resource with what a clone does with it and why. */
function imageForPeople({ resources, rules, ...rest }: Record<string, unknown>): string {
  const rows = (resources as Resource[]).map((one) => [one.type, one.identity, one.bytes === 0 ? '-' : bytesForPeople(one.bytes), one.class, one.why]);
  const ruleRows = (rules as RuleRow[]).map((one) => [one.line, one.kind, one.subject, one.qualifier === undefined ? one.value : `${one.value} (${one.qualifier})`]);
  return [
    JSON.stringify(rest, null, 2),
    ...(ruleRows.length === 0 ? [] : [table(['line', 'rule', 'of', 'value'], ruleRows)]),
    table(['type', 'identity', 'size', 'class', 'why'], rows),
  ].join('\n\n');
}

export function addInspectCommands(program: Command): void {
  commonCommand(program, 'inspect <id>', 'Everything known of an instance or image: each resource, and what a clone does with it.')
    .action(async (id: string, options: CommonOptions) => {
      const found = await withEngine(options, '', (engine) => engine.inspect(id));
      print(found, options, () => (Array.isArray(found['resources']) ? imageForPeople(found) : JSON.stringify(found, null, 2)));
    });

  commonCommand(program, 'rids [aid]', 'What an instance calls its resources, beside what this machine calls them; without one, of all.')
    .option('--type <type>', 'only these: pid, thread, shm, sem, msg, port, udp-port, ip, path')
    .option('--virtual <id>', 'only what the instance calls so')
    .option('--system <id>', 'only what this machine calls so')
    .action(async (aid: string | undefined, options: CommonOptions & { readonly type?: string; readonly virtual?: string; readonly system?: string }) => {
      const { type, virtual, system } = options;
      const query = { ...(aid && { aid }), ...(type && { type }), ...(virtual && { virtual }), ...(system && { system }) };
      const rows = await withEngine(options, '', (engine) => engine.rids(query));
      print(rows, options, () => table(['aid', 'type', 'virtual', 'system'], rows.map((row) => [row.aid, row.type, row.virtual, row.system])));
    });
}
