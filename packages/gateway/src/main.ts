import { parseArgs } from 'node:util';
import { runRole } from '@appshot/runtime';
import { run } from './run.js';

/** `gateway --redis URL --nats URL [--http HOST:PORT] [--id NAME]`; addresses may also stand in APPSHOT_REDIS, APPSHOT_NATS and APPSHOT_HTTP. */
const { values } = parseArgs({ options: { redis: { type: 'string' }, nats: { type: 'string' }, http: { type: 'string' }, id: { type: 'string' }, dir: { type: 'string' } } });
const http = values.http ?? process.env['APPSHOT_HTTP'];

await runRole('gateway', () => run({
  redisUrl: values.redis ?? process.env['APPSHOT_REDIS'] ?? '',
  natsUrl: values.nats ?? process.env['APPSHOT_NATS'] ?? '',
  ...(http !== undefined && { http }),
  ...(values.id !== undefined && { id: values.id }),
}));
