import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppSpec } from '@appshot/protocol';
import { connectRegistry } from '@appshot/registry';
import { createLogger } from '@appshot/runtime';
import { freePort, startNats, startRedis, TestServer } from '@appshot/runtime/testing';
import { answersHttp } from './answers-http.js';

const main = fileURLToPath(new URL('../../packages/gateway/dist/main.js', import.meta.url));

/** One gateway process with a Redis and a NATS of its own, and the upstream as the only instance of a site named 127.0.0.1. `nodeArguments`: as `up` starts it, or `--cpu-prof`, say. */
export async function startGatewayProcess(upstream: TestServer, nodeArguments: readonly string[] = ['--max-semi-space-size=2', '--heap-growing-percent=25']): Promise<{ server: TestServer; stop(): Promise<void> }> {
  const [redis, nats] = await Promise.all([startRedis(), startNats()]);
  const registry = await connectRegistry({ url: redis.url, logger: createLogger('bench') });
  const spec = AppSpec.parse({ name: 'hello', hosts: ['127.0.0.1'], command: ['x'], cwd: '/', port: upstream.port, scale: { concurrency: 1_000 } });
  await registry.apps.put(spec, Date.now());
  const [aid] = await registry.aids.next();
  await registry.instances.create({ aid: aid!, app: 'hello', version: 1, node: 'bench', state: 'ready', reason: 'bench', now: Date.now(), endpoint: { ip: '127.0.0.1', port: upstream.port } });
  await registry.close();
  const port = await freePort();
  const server = new TestServer({
    url: `http://127.0.0.1:${port}`, port, dir: await mkdtemp(join(tmpdir(), 'appshot-bench-gateway-')), answers: () => answersHttp(port),
    command: [process.execPath, ...nodeArguments, main, '--redis', redis.url, '--nats', nats.url, '--http', `127.0.0.1:${port}`],
  });
  await server.start();
  const stop = async (): Promise<void> => {
    await server.stop();
    await Promise.all([redis.stop(), nats.stop()]);
  };
  return { server, stop };
}
