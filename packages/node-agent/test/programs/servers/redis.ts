import { numberAfter } from '../client/http.js';
import { command } from '../client/command.js';
import type { Program, Site } from '../driver/program.js';

const redisCli = ({ ip }: Site, ...words: string[]): Promise<string> => command('redis-cli', ['-h', ip, '-p', '3000', ...words]);

export const redis: Program = {
  name: 'redis', packages: ['redis-server'], version: ['redis-server', '--version'],
  command: ['redis-server', '--port', '3000', '--protected-mode', 'no', '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
  parts: 'server with its threads, append-only file',
  visit: async (site) => Number(await redisCli(site, 'incr', 'visits')),
  // Its own timer takes away what has expired; nobody asks for it.
  ticks: async (site) => {
    await redisCli(site, 'set', 'short', 'lived', 'px', '20');
    return numberAfter(await redisCli(site, 'info', 'stats'), 'expired_keys');
  },
};
