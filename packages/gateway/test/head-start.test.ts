import { once } from 'node:events';
import { checkPorts, instanceComing, instanceRestored, type Endpoint, type WakeReply } from '@appshot/protocol';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { RawClient, visit } from './support/client.js';
import { Sites } from './support/sites.js';
import { TestFarm, type TestGateway } from './support/test-farm.js';
import type { Upstream } from './support/upstream.js';

const farm = new TestFarm();
let gateway: TestGateway;
const sites = new Sites(farm, () => gateway);
const answers: Record<string, () => Promise<WakeReply> | WakeReply> = {};
const refused: WakeReply = { kind: 'refused', because: 'no', retryAfterS: 1 };

test.before(async () => {
  await farm.start();
  gateway = await farm.gateway({ wakeAskAgainMs: 30_000 });
  await farm.onWake(answers);
});
test.after.always(async () => {
  await farm.close();
  await sites.close();
});

interface Sleeper { app: string; host: string; aid: string; upstream: Upstream; refuse(): void }

/** A site that sleeps; its instance is being restored when a scheduler is asked, who does not answer before `refuse`. */
async function sleeper(handler: ConstructorParameters<typeof Upstream>[0] = (request, response) => void response.end(`${request.method} answered`)): Promise<Sleeper> {
  const upstream = await sites.upstream(handler);
  const { app, host } = await farm.deploy();
  const aid = await farm.instance(app, 'asleep');
  await sites.known(host);
  let refuse!: () => void;
  const decided = new Promise<WakeReply>((resolve) => { refuse = () => resolve(refused); });
  answers[app] = () => decided;
  return { app, host, aid, upstream, refuse };
}

const endpointOf = ({ upstream }: Sleeper): Endpoint => upstream.endpoint;
const held = ({ app }: Sleeper) => farm.reported(app, (report) => report.held === 1);

/** Told until it has been heard: the gateway may not know yet that the instance sleeps. */
async function coming(site: Sleeper, is: () => boolean, what: string): Promise<void> {
  await waitUntil(() => {
    farm.bus.publish(instanceComing, { app: site.app, aid: site.aid, endpoint: endpointOf(site) });
    return is();
  }, { what });
}

async function restored({ app, aid, refuse }: Sleeper, endpoint: Endpoint): Promise<void> {
  const epoch = await farm.become(aid, 'asleep', 'restoring');
  farm.bus.publish(instanceRestored, { how: 'restore', node: 'n1', app, aid, epoch, endpoint, phases: { decide: 0.2, fill: 1.5 } });
  await farm.become(aid, 'restoring', 'ready', endpoint);
  refuse();
}

for (const method of ['GET', 'HEAD'] as const) {
  test(`a ${method} is sent to an instance that is on its way, and answered when it is said to be back`, async (t) => {
    const site = await sleeper();
    let isAnswered = false;
    const answer = visit(gateway, site.host, '/', { method }).finally(() => (isAnswered = true));
    await held(site);
    await coming(site, () => site.upstream.requests > 0, 'the request to be sent ahead');
    // The instance has answered by then, in as far as that can be seen from outside; what it said stays with the gateway.
    await farm.bus.call(checkPorts(gateway.id), { farmPorts: [] });
    t.false(isAnswered);
    await restored(site, endpointOf(site));
    const { status, text, headers } = await answer;
    t.deepEqual({ status, text }, { status: 200, text: method === 'GET' ? 'GET answered' : '' });
    t.regex(String(headers['server-timing']), /^wake;desc=restore;dur=[\d.]+, hold;dur=[\d.]+, decide;dur=0.2, fill;dur=1.5, reply;dur=[\d.]+$/);
    t.is((await visit(gateway, site.host)).text, 'GET answered');
    // After a HEAD, undici closes.
    if (method === 'GET') t.is(site.upstream.connections, 1, 'the connection goes on as any other');
    t.is(site.upstream.requests, 2);
  });
}

test('a large answer that came before the instance was told arrives whole', async (t) => {
  const site = await sleeper((_request, response) => void response.end('x'.repeat(3_000_000)));
  const answer = visit(gateway, site.host);
  await held(site);
  await coming(site, () => site.upstream.requests > 0, 'the request to be sent ahead');
  await restored(site, endpointOf(site));
  t.is((await answer).text.length, 3_000_000);
  t.is(site.upstream.requests, 1);
});

test('what may not be sent twice waits until the instance is there', async (t) => {
  const site = await sleeper();
  const answer = visit(gateway, site.host, '/', { method: 'POST', body: 'an order' });
  await held(site);
  for (let told = 0; told < 3; told += 1) farm.bus.publish(instanceComing, { app: site.app, aid: site.aid, endpoint: endpointOf(site) });
  await restored(site, endpointOf(site));
  t.is((await answer).text, 'POST answered');
  t.is(site.upstream.requests, 1);
});

test('when the wake is refused, the visitor is told, and nothing of what was sent ahead is left', async (t) => {
  const site = await sleeper();
  const answer = visit(gateway, site.host);
  await held(site);
  await coming(site, () => site.upstream.requests > 0, 'the request to be sent ahead');
  site.refuse();
  t.is((await answer).status, 503);
  await waitUntil(() => site.upstream.sockets.size === 0, { what: 'the connection to be closed' });
});

test('an instance that comes back elsewhere, or whose connection breaks before, serves the visitor all the same', async (t) => {
  const elsewhere = await sites.upstream((_request, response) => void response.end('elsewhere'));
  const moved = await sleeper();
  const first = visit(gateway, moved.host);
  await held(moved);
  await coming(moved, () => moved.upstream.requests > 0, 'the request to be sent ahead');
  await restored(moved, elsewhere.endpoint);
  t.is((await first).text, 'elsewhere');
  await waitUntil(() => moved.upstream.sockets.size === 0, { what: 'the connection to be closed' });

  const broken = await sleeper((request, response) => (broken.upstream.requests === 1 ? request.socket.destroy() : void response.end('again')));
  const second = visit(gateway, broken.host);
  await held(broken);
  await coming(broken, () => broken.upstream.requests > 0 && broken.upstream.sockets.size === 0, 'the connection to break');
  await restored(broken, endpointOf(broken));
  t.is((await second).text, 'again');
});

test('a visitor who leaves takes along what was sent ahead', async (t) => {
  const site = await sleeper();
  const client = new RawClient(gateway).send(`GET / HTTP/1.1\r\nHost: ${site.host}\r\n\r\n`);
  await held(site);
  await coming(site, () => site.upstream.requests > 0, 'the request to be sent ahead');
  client.socket.destroy();
  await once(client.socket, 'close');
  await waitUntil(() => site.upstream.sockets.size === 0, { what: 'the connection to be closed' });
  site.refuse();
  t.pass();
});
