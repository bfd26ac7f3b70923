import { get, numberAfter } from '../client/http.js';
import type { Program, Site } from '../driver/program.js';

const server = {
  site: 'nginx', packages: ['nginx'], version: ['nginx', '-v'],
  // "server accepts handled requests\n 3 3 3": the third counts requests.
  visit: async (site: Site): Promise<number> => numberAfter(await get(site), String.raw`requests\s+\d+ \d+`),
} as const;

export const nginx: Program = { ...server, name: 'nginx', command: ['nginx', '-p', '.', '-c', 'nginx.conf'], parts: 'master, two workers' };

export const nginxRenewed: Program = {
  ...server, name: 'nginx-renewed', command: ['./renewed.sh'], launch: { readyPath: '/renewed' }, parts: 'daemon that exec\'d its successor (SIGUSR2)',
};
