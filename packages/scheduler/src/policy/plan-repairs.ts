import type { Aid, Endpoint, Epoch, InstanceRecord, InstanceState, Millis, RoleId } from '@appshot/protocol';

/** What one agent really has. */
export interface NodeListing {
  readonly node: RoleId;
  readonly running: readonly { readonly aid: Aid; readonly epoch: Epoch; readonly endpoint: Endpoint | null; readonly parked?: boolean }[];
  readonly images: readonly string[];
}

/** What the registry says, read after the listing was taken. */
export interface RegistryView {
  /** Instances of every node: an image may belong to one that runs elsewhere. */
  readonly instances: readonly InstanceRecord[];
  /** Templates of all apps. */
  readonly templates: readonly string[];
  /** Number of apps. */
  readonly apps: number;
}

export type Repair =
  /** A transition whose owner has gone: the agent's call is repeated, whoever repeats it. */
  | { readonly kind: 'finish'; readonly aid: Aid; readonly state: InstanceState }
  /** The node runs it, and the registry says that it sleeps, or is behind with its epoch: it lost its last writes. */
  | { readonly kind: 'adopt'; readonly aid: Aid; readonly epoch: Epoch; readonly endpoint: Endpoint }
  /** The registry says it runs or sleeps here, and neither process nor image is left. */
  | { readonly kind: 'lost'; readonly aid: Aid; readonly because: 'not-running' | 'image-missing' }
  /** The registry sends requests to it, and it stands frozen: whoever parked it was overtaken. */
  | { readonly kind: 'unpark'; readonly aid: Aid }
  | { readonly kind: 'stop-orphan'; readonly node: RoleId; readonly aid: Aid; readonly epoch: Epoch }
  | { readonly kind: 'remove-image'; readonly node: RoleId; readonly image: string };

/** Since when something looks wrong, by a key that names it and its epoch. */
export type Suspicions = Readonly<Record<string, Millis>>;

export const repairTuning = {
  /** A call to an agent that is still under way in another scheduler is repeated after this time; that does no harm. */
  finishAfterMs: 3_000,
  /** Draining is the gateways' work and BullMQ's: it may take its whole limit, and a worker that died is replaced first. */
  drainingAfterMs: 45_000,
  /** Nothing is destroyed on one look: what is wrong has to be so for this long, at the same epoch. */
  sureAfterMs: 1_500,
  /** An image that nothing names may be a template whose record is about to be written. */
  imageSureAfterMs: 60_000,
} as const;

/**
 * Compares one node with the registry. Pure: the suspicions of the last look come in, those of this one go out.
 * A node that did not answer is not looked at: its instances may well be serving.
 */
export function planRepairs(listing: NodeListing, registry: RegistryView, before: Suspicions, now: Millis): { repairs: Repair[]; suspicions: Suspicions } {
  // A registry without anything is more likely to have lost it than right: what nodes have may be all that is left.
  const isEmpty = registry.apps === 0 && registry.instances.length === 0;
  const found = isEmpty ? [] : [...wrongInstances(listing, registry, now), ...orphans(listing, registry), ...spareImages(listing, registry)];
  const suspicions: Record<string, Millis> = {};
  const repairs: Repair[] = [];
  for (const { repair, key, sureAfterMs } of found) {
    const since = before[key] ?? now;
    suspicions[key] = since;
    if (now - since >= sureAfterMs) repairs.push(repair);
  }
  return { repairs, suspicions };
}

interface Finding { readonly repair: Repair; readonly key: string; readonly sureAfterMs: number }

function wrongInstances(listing: NodeListing, registry: RegistryView, now: Millis): Finding[] {
  const running = new Map(listing.running.map((one) => [one.aid, one]));
  const images = new Set(listing.images);
  return registry.instances.filter((one) => one.node === listing.node).flatMap((record) => {
    const repair = repairOf(record, running.get(record.aid), images, now);
    if (repair === null) return [];
    // A transition that is old enough has waited already.
    const sureAfterMs = repair.kind === 'finish' ? 0 : repairTuning.sureAfterMs;
    return [{ repair, key: `${listing.node}/${record.aid}/${record.epoch}/${repair.kind}`, sureAfterMs }];
  });
}

function repairOf(record: InstanceRecord, running: NodeListing['running'][number] | undefined, images: ReadonlySet<string>, now: Millis): Repair | null {
  const age = now - record.since;
  const finish: Repair = { kind: 'finish', aid: record.aid, state: record.state };
  switch (record.state) {
    case 'ready':
      if (running === undefined) return { kind: 'lost', aid: record.aid, because: 'not-running' };
      if (running.epoch > record.epoch) return adoption(running, record.endpoint);
      return running.parked === true ? { kind: 'unpark', aid: record.aid } : null;
    case 'parked':
      return running === undefined ? { kind: 'lost', aid: record.aid, because: 'not-running' } : null;
    case 'asleep':
      if (running !== undefined) return adoption(running);
      return images.has(record.image ?? record.aid) ? null : { kind: 'lost', aid: record.aid, because: 'image-missing' };
    case 'draining':
      return age >= repairTuning.drainingAfterMs ? finish : null;
    case 'launching':
    case 'cloning':
    case 'restoring':
    case 'unparking':
    case 'snapshotting':
    case 'stopping':
    case 'failed':
      return age >= repairTuning.finishAfterMs ? finish : null;
    case 'gone':
      return null;
  }
}

function adoption({ aid, epoch, endpoint }: NodeListing['running'][number], known?: Endpoint): Repair | null {
  const at = endpoint ?? known;
  return at === undefined ? null : { kind: 'adopt', aid, epoch, endpoint: at };
}

function orphans(listing: NodeListing, registry: RegistryView): Finding[] {
  const known = new Set(registry.instances.map((one) => one.aid));
  return listing.running.filter((one) => !known.has(one.aid)).map((one) => ({
    repair: { kind: 'stop-orphan', node: listing.node, aid: one.aid, epoch: one.epoch },
    key: `${listing.node}/${one.aid}/orphan`,
    sureAfterMs: repairTuning.sureAfterMs,
  }));
}

function spareImages(listing: NodeListing, registry: RegistryView): Finding[] {
  const named = new Set([...registry.templates, ...registry.instances.flatMap((one) => [one.aid, ...(one.image === undefined ? [] : [one.image])])]);
  return listing.images.filter((image) => !named.has(image)).map((image) => ({
    repair: { kind: 'remove-image', node: listing.node, image },
    key: `${listing.node}/image/${image}`,
    sureAfterMs: repairTuning.imageSureAfterMs,
  }));
}
