import { didYouMean } from '@appshot/protocol';
import type { z } from 'zod';
import { AppFile } from './app-file.js';
import { allowedKeys, describeAllowed } from './describe-allowed.js';

/** Something wrong, by its path in the file. `atKey`: the key itself is wrong, not its value. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  readonly atKey?: boolean;
  readonly problem: string;
  readonly allowed: string;
}

/** Checks an app file's values, every problem at once. */
export function checkAppFile(value: unknown): { file: AppFile; findings: [] } | { file: null; findings: Finding[] } {
  const parsed = AppFile.safeParse(value, { reportInput: true });
  const unreachable = reachable(value) ? [] : [{ path: ['hosts'], problem: 'is missing', allowed: 'a list of host names; none where ports are exposed' }];
  if (!parsed.success) return { file: null, findings: [...unreachable, ...parsed.error.issues.flatMap(findingsOf)] };
  const findings = [...unreachable, ...clashes(parsed.data)];
  return findings.length > 0 ? { file: null, findings } : { file: parsed.data, findings: [] };
}

/** Whether a visitor could come: by a host name or by an exposed port. */
function reachable(value: unknown): boolean {
  const { hosts, expose } = (value ?? {}) as { hosts?: unknown; expose?: unknown };
  return [hosts, expose].some((names) => names !== undefined && !(Array.isArray(names) && names.length === 0));
}

function findingsOf(issue: z.core.$ZodIssue): Finding[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key));
  if (issue.code === 'invalid_key') {
    return [{ path, atKey: true, problem: 'is not a name of an environment variable', allowed: 'letters, digits and "_", not beginning with a digit' }];
  }
  if (issue.input === undefined && path.length > 0) return [{ path, problem: 'is missing', allowed: describeAllowed(path) }];
  const shown = show(issue.input);
  // A pattern's message says what is allowed better than the schema's type does.
  if (issue.code === 'invalid_format') return [{ path, problem: `${shown} is not valid`, allowed: issue.message }];
  return [{ path, problem: `${shown} is not ${wrongness(issue)}`, allowed: describeAllowed(path) }];
}

function wrongness(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small': return issue.origin === 'array' || issue.origin === 'string' ? 'long enough' : `at least ${issue.minimum}`;
    case 'too_big': return issue.origin === 'array' || issue.origin === 'string' ? 'short enough' : `at most ${issue.maximum}`;
    case 'invalid_type': return issue.expected === 'int' ? 'a whole number' : `of the right type (${issue.expected})`;
    default: return 'allowed here';
  }
}

function unknownKey(path: readonly PropertyKey[], key: string): Finding {
  const known = allowedKeys(path);
  const meant = didYouMean(key, known);
  return {
    path: [...path, key], atKey: true,
    problem: `unknown key "${key}"${meant === null ? '' : `; did you mean "${meant}"?`}`,
    allowed: `the keys ${known.join(', ')}`,
  };
}

/** Values that are each right and do not go together. */
function clashes(file: AppFile): Finding[] {
  const findings: Finding[] = [];
  if (file.scale.min > file.scale.max) {
    findings.push({ path: ['scale', 'min'], problem: `min ${file.scale.min} is more than max ${file.scale.max}`, allowed: `a whole number from 0 to ${file.scale.max}` });
  }
  if (file.scale.min > 0 && typeof file.scale.idleMs === 'number') {
    findings.push({ path: ['scale', 'idleMs'], problem: `idleMs has no effect with min ${file.scale.min}: the site is never put to sleep`, allowed: 'min: 0, or no idleMs' });
  }
  findings.push(...twice(file.expose.map(({ port }) => port), 'port'), ...twice(file.expose.map(({ farmPort }) => farmPort), 'farmPort'));
  file.hosts.forEach((host, index) => {
    if (file.hosts.indexOf(host) < index) findings.push({ path: ['hosts', index], problem: `${host} is named twice`, allowed: 'each host name once' });
  });
  const paths = file.volumes.map((volume) => volume.split(':')[1]);
  paths.forEach((path, index) => {
    if (paths.indexOf(path) < index) findings.push({ path: ['volumes', index], problem: `two volumes at ${path}`, allowed: 'each path once' });
  });
  return findings;
}

function twice(ports: readonly (number | undefined)[], key: 'port' | 'farmPort'): Finding[] {
  return ports.flatMap((port, index) =>
    (port === undefined || ports.indexOf(port) === index ? [] : [{ path: ['expose', index, key], problem: `${port} is named twice`, allowed: 'each port once' }]));
}

/** A value as it would stand in the file, cut short. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
