import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '@appshot/runtime';
import type { ChildSpec } from './child-role.js';
import type { FarmDir } from './farm-dir.js';
import { tcpTalk } from './tcp-talk.js';

export interface ServerChild {
  readonly spec: ChildSpec;
  /** With the password in it. */
  readonly url: string;
}

/** The farm's own Redis: its data below DIR, for local processes that know the password, which is new each time. */
export function redisChild(farm: FarmDir, port: number, password: string): ServerChild {
  const config = path.join(farm.redis, 'redis.conf');
  writeFileSync(config, [
    'bind 127.0.0.1', `port ${port}`, `requirepass ${password}`, 'daemonize no', 'pidfile ""',
    `dir ${JSON.stringify(farm.redis)}`, 'appendonly yes', 'appendfsync everysec', 'aof-load-truncated yes',
    // A job queue and a registry: nothing may be thrown away. The save points make SIGTERM save.
    'maxmemory-policy noeviction', 'save 3600 1', `logfile ${JSON.stringify(path.join(farm.logs, 'redis.log'))}`, '',
  ].join('\n'), { mode: 0o600 });
  const answers = async (): Promise<boolean> => (await tcpTalk(port, `AUTH ${password}\r\nPING\r\n`, (heard) => heard.includes('+PONG'))) !== null;
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    spec: {
      name: 'redis', command: ['redis-server', config], env: {}, logFile: path.join(farm.logs, 'redis.log'),
      whenReady: async ({ isRunning }) => {
        await waitUntil(() => !isRunning() || answers(), { withinMs: 60_000, what: 'Redis' });
      },
    },
  };
}
