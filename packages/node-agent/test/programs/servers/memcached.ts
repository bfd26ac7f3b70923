import { numberAfter } from '../client/http.js';
import { exchange } from '../client/lines.js';
import type { Program, Site } from '../driver/program.js';

const command = ['memcached', '-p', '3000', '-U', '0', '-l', '0.0.0.0'];

const server = {
  packages: ['memcached'], version: ['memcached', '--version'],
  visit: async (site: Site) => {
    await exchange(site, 'add visits 0 0 1\r\n0\r\n', /STORED\r\n/);
    return Number(await exchange(site, 'incr visits 1\r\n', /\r\n/));
  },
  // Its clock is moved on by its own timer, once a second.
  ticks: async (site: Site) => numberAfter(await exchange(site, 'stats\r\n', /END\r\n/), 'STAT uptime'),
} as const;

export const memcached: Program = { ...server, name: 'memcached', command, parts: 'server with its threads' };

export const memcachedDaemon: Program = {
  ...server, name: 'memcached-daemon', command: [...command, '-d', '-P', '/tmp/memcached.pid'], parts: 'daemon that wrote a pid file',
  // The number in the file is the daemon's.
  chain: async (site) => { await site.inside(['sh', '-c', 'test "$(cat /proc/$(cat /tmp/memcached.pid)/comm)" = memcached']); },
};
