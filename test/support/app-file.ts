import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { examplesDir, fixturesDir } from './run-command.js';

export interface Changes {
  /** Its new name, and its host name: NAME.test. */
  readonly name: string;
  /** Further lines of the file, as they stand. */
  readonly lines?: readonly string[];
}

/** Writes a copy of an example's app file to `dir`, which runs in the example's own folder, with some texts replaced. @returns the file's path. */
export function copyOfExample(dir: string, example: string, { name, lines = [] }: Changes, replaced: Readonly<Record<string, string>> = {}): string {
  const folder = path.join(examplesDir, example);
  const text = readFileSync(path.join(folder, 'app.yaml'), 'utf8')
    .replace(/^name: .*$/m, `name: ${name}`)
    .replace(/^hosts: .*$/m, `hosts: [${name}.test]`)
    .replace(/^cwd: .*$/m, `cwd: ${folder}`);
  const changed = Object.entries(replaced).reduce((all, [from, to]) => all.replace(from, to), text);
  return write(dir, name, [changed.trimEnd(), ...lines]);
}

/** Writes an app file for a program of test/fixtures. @returns the file's path. */
export function fixtureSite(dir: string, command: readonly string[], { name, lines = [] }: Changes): string {
  return write(dir, name, [
    `name: ${name}`, `hosts: [${name}.test]`, `command: ${JSON.stringify(command)}`, `cwd: ${fixturesDir}`, 'port: 3000',
    ...(lines.some((line) => line.startsWith('ready:')) ? [] : ['ready: { http: /healthz, withinMs: 60000 }']), ...lines,
  ]);
}

function write(dir: string, name: string, lines: readonly string[]): string {
  const file = path.join(dir, `${name}.yaml`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}
