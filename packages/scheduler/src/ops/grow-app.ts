import type { AppName, InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { advance } from './advance.js';
import { beginInstance } from './begin-instance.js';
import { bringUp, type BroughtUp } from './bring-up.js';
import { versionOf } from './version-of.js';

export interface GrowWish {
  readonly because: string;
  /** How many more, by what the registry says now: asked again once nobody else can decide the same. */
  readonly count: (instances: readonly InstanceRecord[]) => number;
  /** Leave those that sleep asleep: new ones are wanted. */
  readonly onlyClones?: boolean;
  /** Make clones that stay frozen. */
  readonly parked?: boolean;
  /** Of which version; the current one by default. */
  readonly version?: number;
}

export type Grown =
  | { readonly kind: 'grown'; readonly outcomes: readonly BroughtUp[] }
  /** Another scheduler is deciding this. */
  | { readonly kind: 'taken' };

/**
 * More instances of an app: those that are parked first, then those that sleep, then clones, then launches where there is no
 * template. With `parked`, clones that stay frozen until they are wanted.
 * The records are made under a lease, which ends before the agents are asked: others then see them as coming.
 */
export async function growApp(farm: Farm, app: AppName, wish: GrowWish): Promise<Grown> {
  const askedAt = performance.now();
  const begun = await farm.leases.hold(`app:${app}`, () => beginAll(farm, app, wish));
  if (begun.kind === 'taken') return begun;
  const notes = farm.memory.of(app, farm.now());
  if (wish.parked !== true) notes.lastGrownAt = farm.now();
  const outcomes = await Promise.all(begun.value.map((record) => bringUp(farm, record, { because: wish.because, askedAt, parked: wish.parked === true })));
  // Cooling is over only when they have had time to take their share, and that begins now.
  if (wish.parked !== true) notes.lastGrownAt = farm.now();
  return { kind: 'grown', outcomes };
}

async function beginAll(farm: Farm, app: AppName, wish: GrowWish): Promise<InstanceRecord[]> {
  const [record, instances] = await Promise.all([farm.registry.apps.get(app), farm.registry.instances.ofApp(app)]);
  if (record === undefined) throw new FarmError('not-found', `there is no app "${app}"`);
  const version = versionOf(record, wish.version ?? record.version);
  if (version === undefined) throw new FarmError('not-found', `${app} has no version ${wish.version} any more`);
  const resting = wish.parked === true ? [] : restingOf(instances, version.version, wish.onlyClones === true ? ['parked'] : ['parked', 'asleep']);
  const begun: InstanceRecord[] = [];
  for (let left = wish.count(instances); left > 0; left--) {
    const sleeper = resting.shift();
    const woken = sleeper === undefined ? null : await advance(farm, sleeper, sleeper.state === 'parked' ? 'unparking' : 'restoring', { reason: wish.because });
    if (woken?.kind === 'done') {
      begun.push(woken.record);
      continue;
    }
    try {
      begun.push(await beginInstance(farm, version, version.template === null ? 'command' : 'template', { because: wish.because, onlyFirst: false }));
    } catch (error) {
      // Those that have begun are brought up all the same; the next look finds what is still missing.
      if (begun.length === 0) throw error;
      farm.logger.warn({ err: error, app }, 'not as many instances as wanted');
      break;
    }
  }
  return begun;
}

/** What is there already and only has to be let run, the quickest first. */
function restingOf(instances: readonly InstanceRecord[], version: number, states: readonly InstanceRecord['state'][]): InstanceRecord[] {
  return states.flatMap((state) => instances.filter((one) => one.state === state && one.version === version));
}
