import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';
import { FarmError } from './farm-error.js';

// Below the kernel's usual range for outgoing connections (32768 and up). A port from that range can be taken by any
// client while its server restarts - even by a client of that very server, which then connects to itself.
const lowest = 12_000;
const highest = 32_000;

/** A TCP port that nothing listens on at this moment. @throws FarmError `port-in-use` when none is found. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(lowest, highest);
    if (await isFree(port, host)) return port;
  }
  throw new FarmError('port-in-use', `found no free TCP port on ${host} in 100 attempts`);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
