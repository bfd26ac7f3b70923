import { command } from '../client/command.js';
import type { Program, Site } from '../driver/program.js';

const query = ({ ip }: Site, statements: string): Promise<string> =>
  command('mariadb', ['--no-defaults', '-h', ip, '-P', '3000', '-u', 'farm', '-pfarm', '-N', '-B', '--connect-timeout=10', '-e', statements, 'site']);

export const mariadb: Program = {
  name: 'mariadb', packages: ['mariadb-server-core', 'mariadb-client-core'], version: ['mariadbd', '--version'], command: ['./start.sh'],
  parts: 'server with its threads, event scheduler',
  visit: async (site) => Number(await query(site, 'insert into visits values (now()); select count(*) from visits')),
  ticks: async (site) => Number(await query(site, 'select n from ticks')),
};
