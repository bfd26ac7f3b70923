import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { answersWith } from './answers-with.js';
import { TestServer } from './test-server.js';

/** A nats-server of the test's own, on a free port. */
export async function startNats(): Promise<TestServer> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'appshot-nats-'));
  const server = new TestServer({
    url: `nats://127.0.0.1:${port}`,
    port,
    dir,
    command: ['nats-server', '-a', '127.0.0.1', '-p', `${port}`],
    answers: () => answersWith(port, 'INFO '),
  });
  await server.start();
  return server;
}
