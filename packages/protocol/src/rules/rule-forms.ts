import type { Rule, RuleProblem } from './rule.js';

/** What one line turned out to be. */
export type Parsed = { readonly ok: Rule } | { readonly wrong: RuleProblem };

export const forms = {
  define: 'Define <TAG> as PROPERTY application-ID | application-name | node-ID | instance-IP | env:NAME [DEFAULT "text"]',
  redir: 'REDIR PATH "/from" to "/to", or with a "/" at the end of both for a directory',
  set: 'SET ENV "NAME" = "value"',
  share: 'SHARE PATH "/path"',
  copy: 'COPY PATH "/path" or COPY MEMORY "program"',
  duplicate: 'DUPLICATE PATH "/path" or DUPLICATE MEMORY "program"',
  virtualize: 'VIRTUALIZE PORT number',
} as const;
export type Form = keyof typeof forms;

export const malformed = (line: number, form: Form): Parsed =>
  ({ wrong: { line, problem: `this ${form.toUpperCase()} rule cannot be read`, allowed: forms[form] } });

/** What stands between quotes, in which a backslash takes the meaning of what follows it. */
export const unquote = (text: string): string => text.replace(/\\(.)/g, '$1');

/** What is wrong with a path, or null. */
export function wrongPath(path: string): string | null {
  if (!path.startsWith('/')) return `"${path}" is not an absolute path`;
  if (path === '/' || path.includes('\0') || path.split('/').slice(1).some((name) => name === '' || name === '.' || name === '..')) return `"${path}" is not a plain path`;
  if (/^\/(proc|sys|run\/appshot)(\/|$)/.test(path)) return `"${path}" belongs to the system`;
  return null;
}
