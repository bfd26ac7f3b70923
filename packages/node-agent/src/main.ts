import { parseArgs } from 'node:util';
import { runRole } from '@appshot/runtime';
import { run } from './run.js';

/** `agent --dir DIR --node NAME [--redis URL] [--nats URL] [--addresses CIDR]`; the URLs may also stand in APPSHOT_REDIS and APPSHOT_NATS. */
const { values } = parseArgs({ options: { dir: { type: 'string' }, node: { type: 'string' }, redis: { type: 'string' }, nats: { type: 'string' }, addresses: { type: 'string' } } });

await runRole('agent', async () => {
  const agent = await run({
    dir: values.dir ?? '',
    node: values.node ?? '',
    redisUrl: values.redis ?? process.env['APPSHOT_REDIS'] ?? '',
    natsUrl: values.nats ?? process.env['APPSHOT_NATS'] ?? '',
    ...(values.addresses !== undefined && { addresses: values.addresses }),
  });
  return { close: () => agent.close(), facts: { node: agent.node } };
});
