import { once } from 'node:events';
import dgram from 'node:dgram';
import net from 'node:net';
import { parseRules } from '@appshot/protocol';
import test from 'ava';
import { FarmError } from '@appshot/runtime';
import { testEngine } from './support/test-engine.js';

const command = ['/usr/bin/python3', 'ports.py'];
const { rules } = parseRules('VIRTUALIZE PORT 5432');

test('a port that a rule keeps inside is refused from outside and answers inside, also after a wake and in a clone', async (t) => {
  const { engine, launch } = await testEngine(t);
  let running = await launch('inside', 'python', { command, rules });
  const isKept = async ({ aid, address }: { aid: string; address: string }): Promise<void> => {
    const ip = address.split(':')[0] ?? '';
    t.is(await said(ip, 5432), 'ECONNREFUSED', `${aid}, from outside`);
    t.is(await saidByDatagram(ip, 5432), 'ECONNREFUSED', `${aid}, from outside by UDP`);
    t.is(await said(ip, 5433), '5433', `${aid}, another port`);
    for (const host of ['127.0.0.1', ip]) {
      const look = `import socket; exit(socket.create_connection(('${host}', 5432), 20).recv(9) != b'5432')`;
      t.is(await engine.exec(aid, ['/usr/bin/python3', '-c', look], [0, 2, 2]), 0, `${aid}, inside, by ${host}`);
    }
  };
  await isKept({ aid: 'inside', ...running });
  await engine.snapshot('inside', { keepRunning: false });
  running = await engine.restore('inside');
  await isKept({ aid: 'inside', ...running });
  await engine.snapshot('inside', { keepRunning: true, image: 'template' });
  for (const clone of await engine.clone('template', ['clone'])) await isKept(clone);
});

test('a rule cannot keep the port inside by which the instance is reached', async (t) => {
  const { launch } = await testEngine(t);
  const error = FarmError.from(await t.throwsAsync(launch('shut', 'python', { command, rules: parseRules('\nVIRTUALIZE PORT 3000').rules })));
  t.is(error.code, 'bad-request');
  t.is(error.message, 'rules, line 2: port 3000 is the one by which the instance is reached');
});

/** What the server at this port says, or why nobody is there. */
async function said(host: string, port: number): Promise<string> {
  const socket = net.connect({ host, port, timeout: 20_000 });
  socket.on('timeout', () => socket.destroy(new Error('no answer')));
  try {
    const [chunk] = await once(socket, 'data') as [Buffer];
    return chunk.toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

async function saidByDatagram(host: string, port: number): Promise<string> {
  const socket = dgram.createSocket('udp4');
  try {
    socket.connect(port, host);
    await once(socket, 'connect');
    socket.send('who?');
    const [message] = await once(socket, 'message', { signal: AbortSignal.timeout(20_000) }) as [Buffer];
    return message.toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.close();
  }
}
