import { numberAfter } from '../client/http.js';
import { exchange } from '../client/lines.js';
import type { Program } from '../driver/program.js';

export const memcached: Program = {
  name: 'memcached', packages: ['memcached'], version: ['memcached', '--version'], command: ['memcached', '-p', '3000', '-U', '0', '-l', '0.0.0.0'],
  parts: 'server with its threads',
  visit: async (site) => {
    await exchange(site, 'add visits 0 0 1\r\n0\r\n', /STORED\r\n/);
    return Number(await exchange(site, 'incr visits 1\r\n', /\r\n/));
  },
  // Its clock is moved on by its own timer, once a second.
  ticks: async (site) => numberAfter(await exchange(site, 'stats\r\n', /END\r\n/), 'STAT uptime'),
};
