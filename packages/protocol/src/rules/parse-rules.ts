import { didYouMean } from './did-you-mean.js';
import { parseOverride } from './parse-override.js';
import { type Rule, type RuleProblem, TagProperty } from './rule.js';
import { forms, malformed, type Parsed, unquote, wrongPath } from './rule-forms.js';

/** A text in quotes, in which `\"` and `\\` stand for themselves. */
const quoted = String.raw`"((?:[^"\\]|\\.)*)"`;
const define = new RegExp(String.raw`^define\s+<([^<>\s]+)>\s+as\s+property\s+(\S+)(?:\s+default\s+${quoted})?$`, 'i');
const redirect = new RegExp(String.raw`^redir\s+path\s+${quoted}\s+to\s+${quoted}$`, 'i');
const setEnv = new RegExp(String.raw`^set\s+env\s+${quoted}\s*=\s*${quoted}$`, 'i');

/** Reads the rules of an app file (docs/rules.md) without applying them; every wrong line is reported. */
export function parseRules(text: string): { rules: Rule[]; problems: RuleProblem[] } {
  const rules: Rule[] = [];
  const problems: RuleProblem[] = [];
  text.split('\n').forEach((raw, index) => {
    const source = withoutComment(raw).trim();
    if (source === '') return;
    const parsed = parseRule(source, index + 1);
    const problem = 'wrong' in parsed ? parsed.wrong : clashOf(parsed.ok, rules);
    if (problem !== null) problems.push(problem);
    else if ('ok' in parsed) rules.push(parsed.ok);
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
  const match = define.exec(source);
  if (match === null) return malformed(line, 'define');
  const [, tag = '', written = '', fallback] = match;
  const property = normalizedProperty(written);
  if (!TagProperty.safeParse(property).success) {
    return { wrong: { line, problem: `"${written}" is not a property`, allowed: 'application-ID, application-name, node-ID, instance-IP, env:NAME' } };
  }
  return { ok: { line, kind: 'define', tag, property, fallback: fallback === undefined ? null : unquote(fallback) } };
}

/** Names of properties may be written in any case, names of variables may not. */
function normalizedProperty(written: string): string {
  const known = ['application-ID', 'application-name', 'node-ID', 'instance-IP'].find((name) => name.toLowerCase() === written.toLowerCase());
  return known ?? written.replace(/^env:/i, 'env:');
}

function parseRedirect(source: string, line: number): Parsed {
  const match = redirect.exec(source);
  if (match === null) return malformed(line, 'redir');
  const written = [unquote(match[1] ?? ''), unquote(match[2] ?? '')] as const;
  const directory = written.some((path) => path.length > 1 && path.endsWith('/'));
  const [from, to] = written.map((path) => (path.length > 1 ? path.replace(/\/$/, '') : path)) as [string, string];
  const wrong = wrongPath(from) ?? wrongPath(to);
  if (wrong !== null) return { wrong: { line, problem: wrong, allowed: `absolute paths without . and ..: ${forms.redir}` } };
  if (/<[^<>]+>/.test(from)) return { wrong: { line, problem: `the redirected path "${from}" has a tag in it`, allowed: 'tags in the path behind "to" only' } };
  if (to === from || to.startsWith(`${from}/`)) return { wrong: { line, problem: `"${from}" is redirected into itself`, allowed: 'another place' } };
  return { ok: { line, kind: 'redirect', from, to, directory } };
}

function parseSetEnv(source: string, line: number): Parsed {
  const match = setEnv.exec(source);
  if (match === null) return malformed(line, 'set');
  const [name, value] = [unquote(match[1] ?? ''), unquote(match[2] ?? '')];
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return { wrong: { line, problem: `"${name}" is not a name of an environment variable`, allowed: 'letters, digits and "_", not beginning with a digit' } };
  }
  return { ok: { line, kind: 'set-env', name, value } };
}

/** What a rule says twice, or in a circle. */
function clashOf(rule: Rule, before: readonly Rule[]): RuleProblem | null {
  const twice = (what: string): RuleProblem => ({ line: rule.line, problem: `${what} twice`, allowed: 'each once' });
  for (const other of before) {
    if (rule.kind === 'define' && other.kind === 'define' && rule.tag === other.tag) return twice(`<${rule.tag}> is defined`);
    if (rule.kind === 'redirect' && other.kind === 'redirect' && rule.from === other.from) return twice(`"${rule.from}" is redirected`);
    if (rule.kind === 'redirect' && other.kind === 'redirect' && (isBelow(rule.from, other.from) || isBelow(other.from, rule.from))) {
      return { line: rule.line, problem: `"${rule.from}" and "${other.from}" lie in each other`, allowed: 'paths of which none contains another; a rule leads on from where another leads to' };
    }
    if (rule.kind === 'set-env' && other.kind === 'set-env' && rule.name === other.name) return twice(`${rule.name} is set`);
  }
  const redirects = [...before, rule].filter((one) => one.kind === 'redirect');
  return rule.kind === 'redirect' && isCircle(rule.to, redirects)
    ? { line: rule.line, problem: `"${rule.from}" is redirected in a circle`, allowed: 'redirections that end somewhere' }
    : null;
}

const isBelow = (path: string, directory: string): boolean => path.startsWith(`${directory}/`);

function isCircle(to: string, redirects: readonly { readonly from: string; readonly to: string }[]): boolean {
  let path = to;
  for (let step = 0; step <= redirects.length; step++) {
    const next = redirects.find(({ from }) => path === from || path.startsWith(`${from}/`));
    if (next === undefined) return false;
    path = `${next.to}${path.slice(next.from.length)}`;
  }
  return true;
}

/** Cuts a comment off, but not a `#` within quotes. */
function withoutComment(line: string): string {
  return /^((?:[^"#]|"(?:[^"\\]|\\.)*"?)*)/.exec(line)?.[1] ?? line;
}
