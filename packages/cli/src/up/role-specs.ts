import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FarmError } from '@appshot/runtime';
import { addressRangeOf } from './address-range.js';
import type { ChildSpec, ReadyProbe } from './child-role.js';
import type { FarmDir } from './farm-dir.js';
import type { UpOptions } from './up-options.js';

export const roleNames = ['scheduler', 'agent', 'gateway'] as const;
export type RoleName = (typeof roleNames)[number];

export interface ServerUrls { readonly redis: string; readonly nats: string }

const mainFile = fileURLToPath(new URL('../main.js', import.meta.url));

/**
 * What a wake runs in a gateway and an agent, it has run some ten times since their start: V8 would still interpret it, and look up each
 * property anew, since it compiles a function, and remembers where properties are, only when it has been busy; and it forgets what was not
 * used for some collections. From the first call on, and for good, a wake takes a seventh less of a gateway's CPU time (ADR 0171, 0220).
 */
const promptOptions = ['--no-lazy-feedback-allocation', '--always-sparkplug', '--no-flush-bytecode'];
/**
 * Most of a role's memory was room for garbage. V8 lets its young generation grow to 32 MB; with two a gateway takes some 5 % more CPU time
 * for a request. And it collects the old one when it has nearly doubled; a role's own heap is 20 to 30 MB, whatever there was to do.
 */
const nodeOptions: Record<RoleName, readonly string[]> = {
  gateway: ['--max-semi-space-size=2', '--heap-growing-percent=25', ...promptOptions],
  agent: ['--max-semi-space-size=2', '--heap-growing-percent=25', ...promptOptions],
  scheduler: ['--max-semi-space-size=1', '--heap-growing-percent=25'],
};
/**
 * V8's helper threads would each keep an arena of malloc for what they once needed. And malloc would keep what a large message took: once one
 * of some size was freed, it takes those from its heap, where little is ever given back, unless its thresholds are said.
 */
const memoryEnv = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };

/** A role is ready when it has printed its first line, which is `{"ready":…}`. */
const printedReady = async ({ firstLine }: ReadyProbe): Promise<void> => { await firstLine; };

/** The child process of one role: its command line names the role and the folder; the URLs, with passwords, go by its environment. */
export function roleSpec(role: RoleName, farm: FarmDir, options: UpOptions, urls: ServerUrls): ChildSpec {
  const own: Record<RoleName, readonly string[]> = {
    gateway: ['--http', options.http],
    scheduler: ['--api', options.api],
    agent: ['--node', options.node, '--addresses', options.addresses ?? addressRangeOf(farm.root)],
  };
  const settings = settingsOf(role, options.set).flatMap((setting) => ['--set', setting]);
  return {
    name: role,
    command: [process.execPath, ...nodeOptions[role], mainFile, role, '--dir', farm.root, ...own[role], ...settings],
    env: { ...memoryEnv, APPSHOT_REDIS: urls.redis, APPSHOT_NATS: urls.nats },
    logFile: path.join(farm.logs, `${role}.log`),
    whenReady: printedReady,
  };
}

/** @throws FarmError `bad-request` for a setting that names no role. */
export function checkSettings(settings: readonly string[]): void {
  for (const setting of settings) {
    if (!roleNames.some((role) => setting.startsWith(`${role}.`)) || !setting.includes('=')) {
      throw new FarmError('bad-request', `--set ${setting}: write ROLE.KEY=VALUE, ROLE being ${roleNames.join(', ')}`);
    }
  }
}

const settingsOf = (role: RoleName, settings: readonly string[]): string[] =>
  settings.filter((setting) => setting.startsWith(`${role}.`)).map((setting) => setting.slice(role.length + 1));
