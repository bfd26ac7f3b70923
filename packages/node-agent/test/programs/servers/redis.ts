import { waitUntil } from '@appshot/runtime/testing';
import { command } from '../client/command.js';
import { numberAfter } from '../client/http.js';
import type { Program, Site } from '../driver/program.js';

const redisCli = ({ ip }: Site, ...words: string[]): Promise<string> => command('redis-cli', ['-h', ip, '-p', '3000', ...words]);
const randomWord = (): string => Math.random().toString(36).slice(2);

const server = {
  packages: ['redis-server'], version: ['redis-server', '--version'], command: ['./start.sh'],
  visit: async (site: Site) => Number(await redisCli(site, 'incr', 'visits')),
  // Its own timer takes away what has expired; nobody asks for it.
  ticks: async (site: Site) => {
    await redisCli(site, 'set', 'short', 'lived', 'px', '20');
    return numberAfter(await redisCli(site, 'info', 'stats'), 'expired_keys');
  },
} as const;

export const redis: Program = {
  ...server, name: 'redis', parts: 'server, its threads, subscriber over a unix socket',
  chain: async (site) => {
    const word = randomWord();
    // At first it may still be on its way; one that was lost does not come again.
    await waitUntil(async () => await redisCli(site, 'publish', 'news', word) === '1', { everyMs: 20, what: 'the subscriber' });
    await site.inside(['sh', '-c', `for try in $(seq 200); do grep -q ${word} heard && exit 0; sleep 0.05; done; exit 1`]);
  },
};

export const redisReplica: Program = {
  ...server, name: 'redis-replica', parts: 'server, a second that follows it over TCP',
  chain: async (site) => {
    const word = randomWord();
    await redisCli(site, 'set', 'word', word);
    await site.inside(['sh', '-c', `for try in $(seq 400); do test "$(redis-cli -p 3001 get word)" = ${word} && exit 0; sleep 0.05; done; redis-cli -p 3001 info replication; exit 1`]);
  },
  // Each time that the replica lost its connection and came back.
  connections: async (site) => {
    const stats = await redisCli(site, 'info', 'stats');
    return numberAfter(stats, 'sync_full') + numberAfter(stats, 'sync_partial_ok');
  },
};
