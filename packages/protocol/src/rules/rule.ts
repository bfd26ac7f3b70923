import { z } from 'zod';

/** What a tag can stand for: properties of the instance's own specification. */
export const TagProperty = z.string().regex(/^(application-ID|application-name|node-ID|instance-IP|env:[A-Za-z_][A-Za-z0-9_]*)$/,
  'application-ID, application-name, node-ID, instance-IP or env:NAME');

/** What an override can be about, and which verbs each kind knows. */
export const overrideVerbs = {
  path: ['share', 'copy', 'duplicate'],
  memory: ['copy', 'duplicate'],
  port: ['virtualize'],
} as const satisfies Record<string, readonly string[]>;
export type OverrideKind = keyof typeof overrideVerbs;

const line = { /** Within the rules, from 1. */ line: z.number().int().positive() };
const kinds = Object.keys(overrideVerbs) as [OverrideKind, ...OverrideKind[]];

/** One rule, with its references as they were written. docs/rules.md is the grammar. */
export const Rule = z.discriminatedUnion('kind', [
  z.object({ ...line, kind: z.literal('define'), tag: z.string(), property: TagProperty, fallback: z.string().nullable() }),
  /** `directory`: where nothing is yet, an empty directory is made. */
  z.object({ ...line, kind: z.literal('redirect'), from: z.string(), to: z.string(), directory: z.boolean() }),
  z.object({ ...line, kind: z.literal('set-env'), name: z.string(), value: z.string() }),
  z.object({ ...line, kind: z.literal('override'), verb: z.enum(['share', 'copy', 'duplicate', 'virtualize']), of: z.enum(kinds), resource: z.string() }),
]);
export type Rule = z.infer<typeof Rule>;

export interface RuleProblem {
  /** Within the rules, from 1. */
  readonly line: number;
  readonly problem: string;
  readonly allowed: string;
}
