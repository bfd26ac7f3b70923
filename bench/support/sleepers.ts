import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { freePort } from '@appshot/runtime/testing';
import { siteDirectory } from './counter-site.js';
import { firstReply } from './first-reply.js';

export interface Endpoint { readonly ip: string; readonly port: number }

/** A program that is put to sleep and woken, and what counts as its answer. */
export interface Sleeper {
  readonly name: string;
  readonly cwd: string;
  /** File of `cwd` that names the port, where the command cannot. */
  readonly config?: string;
  command(port: number): readonly string[];
  env(port: number): Readonly<Record<string, string>>;
  /** Resolves with the first bytes of a good answer; rejects on any other. */
  reply(endpoint: Endpoint): Promise<unknown>;
}

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const plain = { env: (port: number) => ({ PORT: String(port) }), reply: firstReply };

const node = (name: string, ballastMb: number): Sleeper => ({
  name, cwd: siteDirectory, command: () => [process.execPath, 'server.js'], env: (port) => ({ PORT: String(port), BALLAST_MB: String(ballastMb) }), reply: firstReply,
});

/** Node.js with 8, 56 and about 400 MB of live memory, and servers of other kinds, where they are installed. */
export const sleepers: readonly Sleeper[] = [
  node('node 8 MB', 0), node('node 56 MB', 34), node('node 400 MB', 270),
  { name: 'python', cwd: `${examples}python-guestbook`, command: () => ['/usr/bin/python3', 'server.py'], ...plain },
  {
    name: 'nginx', cwd: `${examples}nginx-static`, config: 'nginx.conf', ...plain,
    command: () => ['/usr/sbin/nginx', '-p', '.', '-c', 'nginx.conf'],
  },
  {
    name: 'redis', cwd: '/tmp', env: () => ({}), reply: firstPong,
    command: (port) => ['/usr/bin/redis-server', '--port', String(port), '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', '', '--dir', '/tmp'],
  },
].filter(({ command }) => existsSync(command(0)[0] ?? ''));

/** The port at which every sleeper listens inside of its instance. */
export const insidePort = 3000;

/** PING to PONG over a connection of its own. */
function firstPong({ ip, port }: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: ip, port, noDelay: true });
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (bytes) => {
      socket.destroy();
      if (bytes.toString('latin1').startsWith('+PONG')) resolve();
      else reject(new Error(`the server answered ${bytes.toString('latin1')}`));
    });
    socket.once('error', reject);
  });
}

export interface Started {
  readonly pid: number;
  readonly endpoint: Endpoint;
  /** spawn to first answer. */
  readonly tookMs: number;
  end(): Promise<void>;
}

/** A fresh process of the program, in a session of its own, at its first answer. */
export async function startSleeper(sleeper: Sleeper): Promise<Started> {
  const endpoint = { ip: '127.0.0.1', port: await freePort() };
  const cwd = await directoryFor(sleeper, endpoint.port);
  const startedAt = performance.now();
  const [file = '', ...args] = sleeper.command(endpoint.port);
  const child = spawn(file, args, { cwd, env: { PATH: process.env.PATH ?? '', ...sleeper.env(endpoint.port) }, stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await replyOfStarting(sleeper, endpoint);
  return {
    pid: child.pid ?? 0, endpoint, tookMs: performance.now() - startedAt,
    async end() {
      // Workers of its own are in its process group.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await ended;
      if (cwd !== sleeper.cwd) await rm(cwd, { recursive: true, force: true });
    },
  };
}

async function directoryFor({ cwd, config }: Sleeper, port: number): Promise<string> {
  if (config === undefined) return cwd;
  const copy = await mkdtemp(`${tmpdir()}/appshot-bench-`);
  await cp(cwd, copy, { recursive: true });
  await chmod(copy, 0o755);
  const text = await readFile(`${cwd}/${config}`, 'utf8');
  await writeFile(`${copy}/${config}`, text.replace(String(insidePort), String(port)).replaceAll('/tmp/', `${copy}/`));
  return copy;
}

async function replyOfStarting({ reply }: Sleeper, endpoint: Endpoint): Promise<void> {
  for (const deadline = performance.now() + 30_000; ;) {
    try {
      await reply(endpoint);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}
