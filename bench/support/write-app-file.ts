import { writeFile } from 'node:fs/promises';

/** An app file for the counter example that never goes to sleep by itself. @returns its path */
export async function writeAppFile(file: string, { name, cwd, ballastMb }: { name: string; cwd: string; ballastMb: number }): Promise<string> {
  await writeFile(file, [
    `name: ${name}`, `hosts: [${name}.localhost]`, 'command: [node, server.js]', `cwd: ${cwd}`, 'port: 3000',
    `env: { BALLAST_MB: "${ballastMb}" }`, 'ready: { http: /healthz, withinMs: 30000 }', 'scale: { idleMs: never }', '',
  ].join('\n'));
  return file;
}
