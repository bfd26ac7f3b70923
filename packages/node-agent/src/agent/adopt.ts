import { Aid, residentStates, type InstanceRecord } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import type { Logger } from '@appshot/runtime';
import type { Engine, ImageRow, InstanceRow } from '../engine/engine.js';
import type { EndedNotices } from './ended-notices.js';
import type { InstanceCards } from './instance-cards.js';
import type { Residents } from './residents.js';
import type { Zygotes } from './zygotes.js';

export interface AdoptParts {
  readonly node: string;
  readonly engine: Pick<Engine, 'list'>;
  readonly registry: Pick<Registry, 'aids' | 'apps' | 'instances' | 'images' | 'events'>;
  readonly cards: InstanceCards;
  readonly residents: Residents;
  readonly ended: EndedNotices;
  readonly zygotes: Zygotes;
  readonly logger: Logger;
}

/**
 * What runs when an agent starts goes on; what the registry believes to run here and does not is told as ended. What runs
 * and is unknown to the registry is left to the schedulers, who compare both with the `list` call.
 */
export async function adopt(parts: AdoptParts): Promise<void> {
  const { running, images } = await parts.engine.list();
  await raiseAidFloor(parts, [...running.map((row) => row.aid), ...images.map((image) => aidOfImage(image.id))]);
  const records = await parts.registry.instances.onNode(parts.node);
  await adoptRunning(parts, running, new Map(records.map((record) => [record.aid, record])));
  tellLost(parts, records, new Set(running.map((row) => row.aid)));
  await registerImages(parts, images);
}

async function adoptRunning({ node, cards, residents, registry, zygotes, logger }: AdoptParts, running: readonly InstanceRow[], records: ReadonlyMap<Aid, InstanceRecord>): Promise<void> {
  for (const { aid, ip } of running) {
    const record = records.get(aid);
    residents.started(aid, { ip, app: record?.app ?? cards.get(aid)?.app });
    if (record === undefined) logger.warn({ aid }, 'an instance runs here that the registry does not know');
    else await registry.events.append({ at: Date.now(), type: 'adopted', app: record.app, aid, node, because: 'it was running when its agent started' });
  }
  for (const app of await registry.apps.list()) {
    if (app.template !== null && residents.hasApp(app.spec.name)) zygotes.keep(app.spec.name, app.template);
  }
}

function tellLost({ node, ended }: AdoptParts, records: readonly InstanceRecord[], running: ReadonlySet<Aid>): void {
  for (const { aid, state } of records) {
    if (residentStates.has(state) && !running.has(aid)) ended.add({ node, aid, at: Date.now(), how: 'it was not running when its agent started' });
  }
}

async function registerImages({ node, registry, cards, logger }: AdoptParts, images: readonly ImageRow[]): Promise<void> {
  const registered = new Map((await registry.images.list()).filter((image) => image.node === node).map((image) => [image.id, image]));
  for (const { id, bytes } of images) {
    if (registered.delete(id)) continue;
    const aid = aidOfImage(id);
    const app = cards.get(aid)?.app;
    if (app === undefined) logger.warn({ image: id }, 'there is an image here of which nobody knows the app');
    else await registry.images.put({ id, app, aid, node, bytes, createdAt: Date.now() });
  }
  for (const id of registered.keys()) await registry.images.remove(id);
}

/** Images are named by their instance, templates by it and when they were made. */
const aidOfImage = (id: string): Aid => id.slice(0, 14);

/** A Redis that lost its last writes must not give again what stands on this node's disk. */
async function raiseAidFloor({ registry, cards }: AdoptParts, here: readonly Aid[]): Promise<void> {
  const newest = [...here, ...cards.aids()].filter((aid) => Aid.safeParse(aid).success).sort().at(-1);
  if (newest !== undefined) await registry.aids.raiseFloor(newest);
}
