import path from 'node:path';
import type { Aid, AppSpec } from '@appshot/protocol';
import type { LaunchSpec } from '../engine/engine.js';
import { parseRules, resolveTags } from './parse-rules.js';

/** Where programs are looked for when the app file says nothing; last, where this very Node.js stands. */
const defaultPath = [...new Set(['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', path.dirname(process.execPath)])].join(':');

/**
 * What an app file asks for, as the engine wants it. Nothing of the agent's own environment reaches an app.
 * @throws FarmError `bad-request` for rules that cannot be followed.
 */
export function launchSpecOf(spec: AppSpec, aid: Aid, uid: number): LaunchSpec {
  const rules = parseRules(spec.rules);
  const resolved = (entries: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, resolveTags(value, rules, aid)]));
  return {
    aid,
    command: spec.command.map((word) => resolveTags(word, rules, aid)),
    cwd: spec.cwd,
    env: { PATH: defaultPath, LANG: 'C.UTF-8', HOME: spec.cwd, PORT: String(spec.port), ...resolved(spec.env), ...resolved(rules.env) },
    ...(spec.user === undefined ? { uid } : { user: spec.user }),
    volumes: spec.volumes.map((volume) => {
      const [host, inside] = volume.split(':') as [string, string];
      return { host, path: inside };
    }),
    port: spec.port,
    ...(spec.ready.http === undefined ? {} : { readyPath: spec.ready.http }),
    readyWithinMs: spec.ready.withinMs,
    memoryMb: spec.resources.memoryMb,
    cpus: spec.resources.cpus,
  };
}
