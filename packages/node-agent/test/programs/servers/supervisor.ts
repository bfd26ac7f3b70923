import { counter, get, numberAfter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const supervisor: Program = {
  name: 'supervisor', packages: ['supervisor', 'memcached'], version: ['supervisord', '--version'], command: ['supervisord', '-c', 'supervisord.conf'],
  launch: { readyPath: '/ready' }, parts: 'supervisord, Node.js, its memcached over TCP', ...counter,
  connections: async (site) => numberAfter(await get(site, '/connections'), 'connections'),
};
