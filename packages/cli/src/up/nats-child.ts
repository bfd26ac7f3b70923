import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '@appshot/runtime';
import type { FarmDir } from './farm-dir.js';
import type { ServerChild } from './redis-child.js';
import { tcpTalk } from './tcp-talk.js';

/** A message of a farm takes some microseconds. With more, each wakes threads that find nothing to do, on processors that a wake wants. */
const oneThread = { GOMAXPROCS: '1' };

/** The farm's own NATS, for local processes that know the password, which is new each time. */
export function natsChild(farm: FarmDir, port: number, password: string): ServerChild {
  const config = path.join(farm.nats, 'nats.conf');
  writeFileSync(config, [
    'host: "127.0.0.1"', `port: ${port}`, 'max_payload: 8MB',
    `authorization { user: "appshot", password: "${password}" }`, '',
  ].join('\n'), { mode: 0o600 });
  const answers = async (): Promise<boolean> => (await tcpTalk(port, '', (heard) => heard.startsWith('INFO '))) !== null;
  return {
    url: `nats://appshot:${password}@127.0.0.1:${port}`,
    spec: {
      name: 'nats', command: ['nats-server', '-c', config], env: oneThread, logFile: path.join(farm.logs, 'nats.log'),
      whenReady: async ({ isRunning }) => {
        await waitUntil(() => !isRunning() || answers(), { withinMs: 60_000, what: 'NATS' });
      },
    },
  };
}
