import { get, numberAfter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const nginxPhpFpm: Program = {
  name: 'nginx-php-fpm', packages: ['nginx', 'php-fpm'], version: ['sh', '-c', '$(ls /usr/sbin/php-fpm[0-9]* | tail -n 1) --version'], command: ['./start.sh'],
  parts: 'nginx, PHP over a unix socket',
  visit: async (site) => numberAfter(await get(site), 'visits'),
};
