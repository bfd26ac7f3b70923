import { FarmError } from '@appshot/runtime';

/** What an app's rules ask for, as far as a node can do it today. */
export interface Rules {
  /** Tags (`<APPL-ID>`) that stand for a property of the instance. */
  readonly tags: Readonly<Record<string, 'application-ID'>>;
  readonly env: Readonly<Record<string, string>>;
}

const define = /^Define\s+(<[A-Za-z0-9_-]+>)\s+as\s+PROPERTY\s+(\S+)$/i;
const setEnv = /^SET\s+ENV\s+"([A-Za-z_][A-Za-z0-9_]*)"\s*=\s*"([^"]*)"$/i;
const redirect = /^REDIR\b/i;

/** @throws FarmError `bad-request` with the line that is not understood, or that a node cannot do yet. */
export function parseRules(text: string): Rules {
  const tags: Record<string, 'application-ID'> = {};
  const env: Record<string, string> = {};
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const defined = define.exec(line);
    const set = setEnv.exec(line);
    if (defined !== null) tags[defined[1] as string] = propertyOf(defined[2] as string, index + 1);
    else if (set !== null) env[set[1] as string] = set[2] as string;
    else throw refuse(index + 1, redirect.test(line) ? 'REDIR is not supported yet; a volume can put a folder elsewhere' : `"${line}" is not a rule; rules are Define … as PROPERTY … and SET ENV "…" = "…"`);
  });
  return { tags, env };
}

/** Each tag in `value` replaced by what it stands for. */
export function resolveTags(value: string, rules: Rules, aid: string): string {
  return Object.keys(rules.tags).reduce((text, tag) => text.replaceAll(tag, aid), value);
}

function propertyOf(name: string, line: number): 'application-ID' {
  if (name.toLowerCase() === 'application-id') return 'application-ID';
  throw refuse(line, `there is no property ${name}; there is application-ID`);
}

const refuse = (line: number, what: string): FarmError => new FarmError('bad-request', `rules, line ${line}: ${what}`, { facts: { line } });
