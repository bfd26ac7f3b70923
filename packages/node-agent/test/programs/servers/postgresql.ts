import { command } from '../client/command.js';
import type { Program, Site } from '../driver/program.js';

const psql = ({ ip }: Site, ...statements: string[]): Promise<string> =>
  command('psql', ['-X', '-q', '-A', '-t', '-h', ip, '-p', '3000', '-U', 'app', 'postgres', ...statements.flatMap((statement) => ['-c', statement])], { PGCONNECT_TIMEOUT: '10' });

export const postgresql: Program = {
  name: 'postgresql', packages: ['postgresql'], version: ['sh', '-c', '$(ls /usr/lib/postgresql/*/bin/postgres | tail -n 1) --version'], command: ['./start.sh'], forksForVisitors: true,
  parts: 'server, two clients, one in a transaction',
  visit: async (site) => Number(await psql(site, 'insert into visits default values', 'select count(*) from visits')),
  ticks: async (site) => Number(await psql(site, 'select last_value from ticks')),
  // What the open transaction wrote, its own client sees and nobody else.
  chain: async (site) => {
    const outside = await psql(site, 'select count(*) from drafts');
    if (outside !== '0') throw new Error(`a transaction that is open shows ${outside} rows to others`);
    const word = `asked-${Math.random().toString(36).slice(2)}`;
    const answer = await site.inside(['sh', '-c', `
      echo "insert into drafts values ('${word}'); select count(*) || ' rows, ' || '${word}' from drafts;" > commands
      for try in $(seq 200); do grep -m 1 'rows, ${word}' answers && exit 0; sleep 0.05; done
      tail -n 5 answers; exit 1`]);
    if (!/^([2-9]|\d\d) rows/.test(answer)) throw new Error(`the client with the open transaction says: ${answer}`);
  },
};
