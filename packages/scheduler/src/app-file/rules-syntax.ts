import { didYouMean } from './did-you-mean.js';

/**
 * The rules of an app file, one a line; `#` begins a comment, keywords in any case:
 *
 *   Define <TAG> as PROPERTY application-ID | application-name | node-ID | instance-IP | env:NAME
 *   REDIR PATH "from" to "to"
 *   SET ENV "NAME" = "value"
 *   SHARE | COPY | DUPLICATE | VIRTUALIZE [KIND ...] "resource"
 */
export type Rule = { readonly line: number } & (
  | { readonly kind: 'define'; readonly tag: string; readonly property: string }
  | { readonly kind: 'redirect'; readonly from: string; readonly to: string }
  | { readonly kind: 'set-env'; readonly name: string; readonly value: string }
  | { readonly kind: 'override'; readonly verb: 'share' | 'copy' | 'duplicate' | 'virtualize'; readonly of: readonly string[]; readonly resource: string });

export interface RuleProblem {
  /** Line within the rules, from 1. */
  readonly line: number;
  readonly problem: string;
  readonly allowed: string;
}

const forms = {
  define: 'Define <TAG> as PROPERTY application-ID | application-name | node-ID | instance-IP | env:NAME',
  redir: 'REDIR PATH "/from" to "/to"',
  set: 'SET ENV "NAME" = "value"',
  share: 'SHARE [KIND] "resource"',
  copy: 'COPY [KIND] "resource"',
  duplicate: 'DUPLICATE [KIND] "resource"',
  virtualize: 'VIRTUALIZE [KIND] "resource"',
} as const;

type Parsed = { ok: Rule } | { wrong: RuleProblem };

/** Reads rules without applying them; every wrong line is reported. */
export function parseRules(text: string): { rules: Rule[]; problems: RuleProblem[] } {
  const rules: Rule[] = [];
  const problems: RuleProblem[] = [];
  const defined = new Set<string>();
  text.split('\n').forEach((raw, index) => {
    const line = index + 1;
    const source = withoutComment(raw).trim();
    if (source === '') return;
    const parsed = parseRule(source, line);
    if ('wrong' in parsed) return void problems.push(parsed.wrong);
    if (parsed.ok.kind === 'define') {
      if (defined.has(parsed.ok.tag)) return void problems.push({ line, problem: `<${parsed.ok.tag}> is defined twice`, allowed: 'each tag once' });
      defined.add(parsed.ok.tag);
    }
    rules.push(parsed.ok);
  });
  return { rules, problems };
}

function parseRule(source: string, line: number): Parsed {
  const verb = (/^[^\s"<]+/.exec(source)?.[0] ?? '').toLowerCase();
  switch (verb) {
    case 'define': return parseDefine(source, line);
    case 'redir': return parseRedirect(source, line);
    case 'set': return parseSetEnv(source, line);
    case 'share': case 'copy': case 'duplicate': case 'virtualize': return parseOverride(source, line, verb);
    default: {
      const meant = didYouMean(verb, Object.keys(forms));
      const hint = meant === null ? '' : `; did you mean ${meant.toUpperCase()}?`;
      return { wrong: { line, problem: `"${source.split(/\s/)[0]}" begins no rule${hint}`, allowed: 'Define, REDIR PATH, SET ENV, SHARE, COPY, DUPLICATE, VIRTUALIZE' } };
    }
  }
}

function parseDefine(source: string, line: number): Parsed {
  const match = /^define\s+<([^<>\s]+)>\s+as\s+property\s+(\S+)$/i.exec(source);
  if (match === null) return malformed(line, 'define');
  const [, tag = '', property = ''] = match;
  if (!/^(application-ID|application-name|node-ID|instance-IP|env:[A-Za-z_][A-Za-z0-9_]*)$/i.test(property)) {
    return { wrong: { line, problem: `"${property}" is not a property`, allowed: 'application-ID, application-name, node-ID, instance-IP, env:NAME' } };
  }
  return { ok: { line, kind: 'define', tag, property } };
}

function parseRedirect(source: string, line: number): Parsed {
  const match = /^redir\s+path\s+"([^"]*)"\s+to\s+"([^"]*)"$/i.exec(source);
  if (match === null) return malformed(line, 'redir');
  const [, from = '', to = ''] = match;
  const relative = [from, to].find((path) => !path.startsWith('/'));
  if (relative !== undefined) return { wrong: { line, problem: `"${relative}" is not an absolute path`, allowed: forms.redir } };
  return { ok: { line, kind: 'redirect', from, to } };
}

function parseSetEnv(source: string, line: number): Parsed {
  const match = /^set\s+env\s+"([^"]*)"\s*=\s*"((?:[^"\\]|\\.)*)"$/i.exec(source);
  if (match === null) return malformed(line, 'set');
  const [, name = '', value = ''] = match;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return { wrong: { line, problem: `"${name}" is not a name of an environment variable`, allowed: 'letters, digits and "_", not beginning with a digit' } };
  }
  return { ok: { line, kind: 'set-env', name, value: value.replace(/\\(.)/g, '$1') } };
}

function parseOverride(source: string, line: number, verb: 'share' | 'copy' | 'duplicate' | 'virtualize'): Parsed {
  const match = /^\S+((?:\s+[A-Za-z][A-Za-z0-9-]*)*)\s+(?:"([^"]+)"|([^\s"]+))$/.exec(source);
  const resource = match?.[2] ?? match?.[3];
  if (match === null || resource === undefined) return malformed(line, verb);
  return { ok: { line, kind: 'override', verb, of: (match[1] ?? '').split(/\s+/).filter((word) => word !== ''), resource } };
}

const malformed = (line: number, form: keyof typeof forms): Parsed =>
  ({ wrong: { line, problem: `this ${form.toUpperCase()} rule cannot be read`, allowed: forms[form] } });

/** Cuts a comment off, but not a `#` within quotes. */
function withoutComment(line: string): string {
  return /^((?:[^"#]|"(?:[^"\\]|\\.)*"?)*)/.exec(line)?.[1] ?? line;
}
