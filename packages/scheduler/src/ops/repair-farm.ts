import { agentCalls, type Aid, type AppRecord, type InstanceRecord, type RoleId } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { placeTuning } from '../policy/choose-node.js';
import { planRepairs, type NodeListing, type Repair, type Suspicions } from '../policy/plan-repairs.js';
import { advance } from './advance.js';
import { bringUp, giveUp, unpark } from './bring-up.js';
import { deployLease } from './deploy-app.js';
import { finishStop, retireInstance } from './retire-instance.js';
import { finishSnapshot } from './sleep-instance.js';

/** Up to so many, everything is compared as often as the job comes. */
const manyInstances = 100;
/** With more: a fiftieth of the time, and this much of a rest at most, ms. */
const restsFor = 50;
const longestRestMs = 20_000;

interface RegistryLists { readonly instances: readonly InstanceRecord[]; readonly apps: readonly AppRecord[] }

/**
 * Compares what nodes have with what the registry says, and makes them agree: takes up transitions whose scheduler has died,
 * adopts, marks lost, removes what belongs to nobody.
 */
export class FarmRepairs {
  readonly #farm: Farm;
  readonly #suspicions = new Map<RoleId, Suspicions>();
  /** By performance.now(). */
  #restsUntil = 0;

  constructor(farm: Farm) {
    this.#farm = farm;
  }

  /** One look at every node that is alive; less often where a look is much work, as it is with a thousand sites. */
  async reconcile(): Promise<void> {
    const begunAt = performance.now();
    if (begunAt < this.#restsUntil) return;
    const now = this.#farm.now();
    const nodes = (await this.#farm.registry.nodes.list()).filter((node) => now - node.seenAt < placeTuning.aliveForMs);
    // The listings first: what is created after them is in the registry before it runs, and is not taken for an orphan.
    const listings = await Promise.all(nodes.map(({ node }) => this.#list(node)));
    const instances = await this.#farm.registry.instances.list();
    // Read after their instances: an app that is being deployed is there by then.
    const apps = await this.#farm.registry.apps.list();
    await Promise.all(listings.map((listing) => listing === null ? undefined : this.#reconcileNode(listing, { instances, apps })));
    await this.#endInstancesOfNoApp({ instances, apps });
    const endedAt = performance.now();
    if (instances.length > manyInstances) this.#restsUntil = endedAt + Math.min(longestRestMs, (endedAt - begunAt) * restsFor);
  }

  /** An agent says that an instance has ended by itself. It is asked once more before anything is done. */
  async ended(node: RoleId, aid: Aid, how: string): Promise<void> {
    const record = await this.#farm.registry.instances.get(aid);
    if (record === undefined || (record.state !== 'ready' && record.state !== 'draining')) return;
    const { running } = await this.#farm.bus.call(agentCalls(node).list, {});
    if (running.some((one) => one.aid === aid)) return;
    await giveUp(this.#farm, record, new FarmError('exited-early', `it ended by itself: ${how}`), 'lost');
  }

  async #reconcileNode(listing: NodeListing, { instances, apps }: RegistryLists): Promise<void> {
    const { node } = listing;
    const templates = apps.flatMap((app) => [app, app.previous, app.trial].flatMap((version) => version?.template ?? []));
    const { repairs, suspicions } = planRepairs(listing, { instances, templates, apps: apps.length }, this.#suspicions.get(node) ?? {}, this.#farm.now());
    this.#suspicions.set(node, suspicions);
    const byAid = new Map(instances.map((record) => [record.aid, record]));
    await Promise.all(repairs.map((repair) => this.#repair(repair, byAid).catch((err: unknown) => this.#farm.logger.warn({ err, repair }, 'a repair failed; it is tried again'))));
  }

  async #list(node: RoleId): Promise<NodeListing | null> {
    try {
      const { running, images } = await this.#farm.bus.call(agentCalls(node).list, {});
      return { node, running, images: images.map((image) => image.id) };
    } catch (err) {
      this.#farm.logger.debug({ err, node }, 'a node could not be listed');
      return null;
    }
  }

  async #repair(repair: Repair, records: ReadonlyMap<Aid, InstanceRecord>): Promise<void> {
    switch (repair.kind) {
      case 'stop-orphan': {
        if ((await this.#farm.registry.instances.get(repair.aid)) !== undefined) return;
        await this.#farm.bus.call(agentCalls(repair.node).stop, { aid: repair.aid, epoch: repair.epoch, removeImage: true });
        this.#farm.events.ofRole(repair.node, { type: 'stopped', because: 'it ran and belonged to nobody', facts: { aid: repair.aid } });
        return;
      }
      case 'remove-image':
        await this.#farm.bus.call(agentCalls(repair.node).removeImage, { image: repair.image });
        return;
      case 'unpark': {
        const record = records.get(repair.aid);
        if (record !== undefined) await unpark(this.#farm, record);
        return;
      }
      case 'adopt':
      case 'lost':
      case 'finish': {
        const record = records.get(repair.aid);
        if (record === undefined) return;
        if (repair.kind === 'adopt') await this.#adopt(record, repair);
        else if (repair.kind === 'finish') await this.#finish(record);
        else await giveUp(this.#farm, record, repair.because === 'not-running' ? new FarmError('not-found', 'it does not run any more') : new FarmError('image-invalid', 'its image is missing'), 'lost');
      }
    }
  }

  /** The last step of whatever its scheduler was at when it died. */
  async #finish(record: InstanceRecord): Promise<void> {
    const farm = this.#farm;
    switch (record.state) {
      case 'launching':
      case 'cloning':
      case 'restoring':
      case 'unparking':
        if (farm.underway.has(`up:${record.aid}:${record.epoch}`)) return;
        await bringUp(farm, record, { because: record.reason });
        return;
      case 'snapshotting':
        if (farm.underway.has(`sleep:${record.aid}`)) return;
        await finishSnapshot(farm, record, { because: record.reason });
        return;
      case 'draining':
        await advance(farm, record, 'ready', { reason: 'its draining was left half done' });
        return;
      case 'stopping':
      case 'failed':
        if (!farm.underway.has(`retire:${record.aid}`)) await finishStop(farm, record);
        return;
      case 'ready':
      case 'parked':
      case 'asleep':
      case 'gone':
    }
  }

  /** The node is right: the record becomes ready, with an epoch that the node has not gone beyond. */
  async #adopt(record: InstanceRecord, seen: Extract<Repair, { kind: 'adopt' }>): Promise<void> {
    const because = 'it runs, and the registry did not know';
    let is = record;
    do {
      const away = await advance(this.#farm, is, is.state === 'asleep' ? 'restoring' : 'draining', { reason: because });
      if (away.kind === 'overtaken') return;
      const back = await advance(this.#farm, away.record, 'ready', { reason: because, patch: { endpoint: seen.endpoint } });
      if (back.kind === 'overtaken') return;
      is = back.record;
    } while (is.epoch < seen.epoch);
    this.#farm.events.ofInstance(record, { type: 'adopted', because });
  }

  /** A removal that was cut short. */
  async #endInstancesOfNoApp({ instances, apps }: RegistryLists): Promise<void> {
    const known = new Set(apps.map((app) => app.spec.name));
    const strays = instances.filter((record) => !known.has(record.app));
    await Promise.all(strays.map(async (record) => {
      if (await this.#farm.leases.isHeld(deployLease(record.app))) return;
      await retireInstance(this.#farm, record, { because: 'its app was removed', drainMs: 0, whenBusy: 'stop', type: 'stopped' });
    }));
  }
}
