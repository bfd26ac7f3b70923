import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { FarmError } from '@appshot/runtime';
import test from 'ava';
import { checkPortFree, parseHostPort } from '../src/up/check-ports.js';

test('a port in use is named, with the process that has it', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => { server.close(); });
  const { port } = server.address() as AddressInfo;
  const error = await t.throwsAsync(checkPortFree({ host: '127.0.0.1', port }, '--http'), { instanceOf: FarmError });
  t.is(error.code, 'port-in-use');
  t.regex(error.message, new RegExp(`port ${port} on 127.0.0.1 is in use by .*\\(pid ${process.pid}\\)`));
});

test('HOST:PORT is read, and nothing else', (t) => {
  t.deepEqual(parseHostPort('127.0.0.1:8080', '--http'), { host: '127.0.0.1', port: 8080 });
  t.deepEqual(parseHostPort('[::1]:80', '--http'), { host: '::1', port: 80 });
  for (const wrong of ['8080', 'localhost', 'localhost:0', 'a:99999', ':80', '']) t.throws(() => parseHostPort(wrong, '--http'), { instanceOf: FarmError }, wrong);
});
