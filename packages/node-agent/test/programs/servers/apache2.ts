import { patienceMs } from '@appshot/runtime/testing';
import { get, numberAfter } from '../client/http.js';
import type { Program, Site } from '../driver/program.js';

/** Over the balancer to the inner port, whose answer is an error page. */
async function visitInner({ address }: Site): Promise<void> {
  const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(patienceMs), headers: { connection: 'close' } });
  const text = await response.text();
  if (response.status !== 404 || text !== 'inner') throw new Error(`the inner port answered ${response.status} ${text.slice(0, 200)}`);
}

export const apache2: Program = {
  name: 'apache2', packages: ['apache2-bin'], version: ['apache2', '-v'], command: ['sh', '-c', 'SITE=$PWD exec apache2 -d . -f apache2.conf -DFOREGROUND'],
  parts: 'event: parent, two children, log pipe, balancer',
  visit: async (site) => {
    await visitInner(site);
    // In the manager's table, the column after the status.
    return numberAfter(await get(site, '/balancer'), String.raw`Init Ok\s*</td><td>`);
  },
};
