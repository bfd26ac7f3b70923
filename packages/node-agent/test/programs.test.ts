import test from 'ava';
import { driveProgram } from './programs/driver/drive-program.js';
import { ProgramFarm } from './programs/driver/program-farm.js';
import { programs } from './programs/servers/index.js';

/** Those of the matrix (`npm run test:programs`) that are quick, and whose packages are quick to install. */
const quick: ReadonlySet<string> = new Set(['node-cluster', 'node-workers', 'gunicorn', 'apache2', 'nginx-php-fpm', 'redis', 'redis-replica', 'puma', 'haproxy']);

const farm = new ProgramFarm();
test.before(() => farm.start());
test.after.always(() => farm.close());

for (const program of programs.filter(({ name }) => quick.has(name))) {
  test.serial(`${program.name} sleeps and wakes three times and is cloned twice: ${program.parts}`, async (t) => {
    t.like(await driveProgram(farm, program), { failed: '', wakes: 3, clones: 2 });
  });
}
