import { get, numberAfter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const nginx: Program = {
  name: 'nginx', packages: ['nginx'], version: ['nginx', '-v'], command: ['nginx', '-p', '.', '-c', 'nginx.conf'],
  parts: 'master, two workers',
  // "server accepts handled requests\n 3 3 3": the third counts requests.
  visit: async (site) => numberAfter(await get(site), String.raw`requests\s+\d+ \d+`),
};
