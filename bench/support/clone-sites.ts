import { fileURLToPath } from 'node:url';
import { siteDirectory } from './counter-site.js';

/** A program that the clone benchmark takes a template of. It listens on port 3000. */
export interface CloneSite {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

const examples = fileURLToPath(new URL('../../examples', import.meta.url));
const fixtures = fileURLToPath(new URL('../../packages/node-agent/test/engine/fixtures', import.meta.url));

export const cloneSites: readonly CloneSite[] = [
  { name: 'node', command: [process.execPath, 'server.js'], cwd: siteDirectory, env: { PORT: '3000' } },
  { name: 'node + 50 MB', command: [process.execPath, 'server.js'], cwd: siteDirectory, env: { PORT: '3000', BALLAST_MB: '34' } },
  { name: 'node + 400 MB', command: [process.execPath, 'server.js'], cwd: siteDirectory, env: { PORT: '3000', BALLAST_MB: '205' } },
  { name: 'python', command: ['/usr/bin/python3', 'server.py'], cwd: `${examples}/python-guestbook`, env: { PORT: '3000' } },
  { name: 'nginx', command: ['/usr/sbin/nginx', '-p', '.', '-c', 'nginx.conf'], cwd: fixtures, env: {} },
];
