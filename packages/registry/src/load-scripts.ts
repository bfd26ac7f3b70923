import { readFileSync } from 'node:fs';

/** The scripts in lua/. */
export const scriptNames = [
  'next-aids', 'raise-aid-floor',
  'lease-addresses', 'release-addresses', 'claim-addresses',
  'put-app', 'remove-app', 'set-template', 'set-trial',
  'create-instance', 'transition-instance', 'claim-wake', 'claim-ports', 'list-instances',
  'read-routes',
] as const;
export type ScriptName = (typeof scriptNames)[number];

// Beside src/ and beside dist/ alike.
const folder = new URL('../lua/', import.meta.url);

/** The text of every script. A line `--@include NAME` is replaced by include/NAME.lua, for Redis has no `require`. */
export function loadScripts(): Map<ScriptName, string> {
  const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
  return new Map(scriptNames.map((name) => [name, read(`${name}.lua`).replace(/^--@include (\S+)$/gm, (_, part: string) => read(`include/${part}.lua`))]));
}
