import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { answersWith } from './answers-with.js';
import { TestServer } from './test-server.js';

export interface StartRedisOptions {
  /** What survives `kill`: every write (`aof`, the default), or only what the test had saved with SAVE (`rdb`). */
  persistence?: 'aof' | 'rdb';
  /** More settings, as on redis-server's command line. */
  args?: readonly string[];
}

/** A redis-server of the test's own, without eviction, on a free port. */
export async function startRedis({ persistence = 'aof', args = [] }: StartRedisOptions = {}): Promise<TestServer> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'appshot-redis-'));
  // Written before it is answered, which is all that a kill -9 of it can take: waiting for the disk would only tie tests to its speed.
  const durable = persistence === 'aof' ? ['--appendonly', 'yes', '--appendfsync', 'no'] : ['--appendonly', 'no'];
  const server = new TestServer({
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    command: ['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '', ...durable, ...args],
    answers: () => answersWith(port, '+PONG', 'PING\r\n'),
  });
  await server.start();
  return server;
}
