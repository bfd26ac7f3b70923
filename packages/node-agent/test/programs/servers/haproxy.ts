import { counter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const haproxy: Program = {
  name: 'haproxy', packages: ['haproxy', 'python3'], version: ['haproxy', '-v'], command: ['./start.sh'],
  parts: 'master, worker, two servers over TCP', ...counter,
  connections: async (site) => (await site.inside(['sh', '-c', 'cat connections-*'])).split('\n').reduce((sum, line) => sum + Number(line), 0),
};
