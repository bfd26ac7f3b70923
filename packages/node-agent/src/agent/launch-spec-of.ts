import path from 'node:path';
import { type Aid, type AppSpec, parseRules, type Rule } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { LaunchSpec } from '../engine/engine.js';

/** Where programs are looked for when the app file says nothing; last, where this very Node.js stands. */
const defaultPath = [...new Set(['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', path.dirname(process.execPath)])].join(':');

/**
 * What an app file asks for, as the engine wants it. Nothing of the agent's own environment reaches an app.
 * @throws FarmError `bad-request` for rules that cannot be followed.
 */
export function launchSpecOf(spec: AppSpec, aid: Aid, uid: number): LaunchSpec {
  return {
    aid,
    name: spec.name,
    command: spec.command,
    cwd: spec.cwd,
    env: { PATH: defaultPath, LANG: 'C.UTF-8', HOME: spec.cwd, PORT: String(spec.port), ...spec.env },
    rules: rulesOf(spec.rules),
    clone: spec.clone,
    ...(spec.user === undefined ? { uid } : { user: spec.user }),
    volumes: spec.volumes.map((volume) => {
      const [host, inside] = volume.split(':') as [string, string];
      return { host, path: inside };
    }),
    port: spec.port,
    connections: spec.connections,
    asyncIo: spec.asyncIo,
    egress: spec.egress,
    compress: spec.snapshot?.compress ?? 'none',
    ...(spec.ready.http === undefined ? {} : { readyPath: spec.ready.http }),
    readyWithinMs: spec.ready.withinMs,
    memoryMb: spec.resources.memoryMb,
    cpus: spec.resources.cpus,
  };
}

/** What the app file's rules say; the engine resolves their tags, for each instance anew. */
export function rulesOf(text: string): Rule[] {
  const { rules, problems } = parseRules(text);
  const [first] = problems;
  if (first !== undefined) throw new FarmError('bad-request', `rules, line ${first.line}: ${first.problem} (allowed: ${first.allowed})`, { facts: { problems } });
  return rules;
}
