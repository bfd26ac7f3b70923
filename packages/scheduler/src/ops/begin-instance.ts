import type { AppSpec, AppVersion, InstanceRecord, RoleId } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { placeInstance } from './place-instance.js';

export interface BeginWish {
  readonly because: string;
  /** Refuse when the app has a live or sleeping instance already. */
  readonly onlyFirst: boolean;
}

/**
 * Records a new instance of a version on its way, as a clone of its template or as a launch; bringUp ends it.
 * @throws FarmError `no-room`, `unavailable`, `not-found`, `illegal-transition` (not the first)
 */
export async function beginInstance(farm: Farm, version: AppVersion, from: 'template' | 'command', wish: BeginWish): Promise<InstanceRecord> {
  if (from === 'command') return begin(farm, version.spec, { version: version.version, state: 'launching', on: null, ...wish });
  return beginClone(farm, version, version.template, wish);
}

/** The same from a template that may be another version's: what a rollback starts from. */
export async function beginClone(farm: Farm, { spec, version }: Pick<AppVersion, 'spec' | 'version'>, template: string | null, wish: BeginWish): Promise<InstanceRecord> {
  if (template === null) throw new FarmError('not-found', `${spec.name} has no template`);
  const image = await farm.registry.images.get(template);
  if (image === undefined) throw new FarmError('image-invalid', `the template ${template} of ${spec.name} is on no node`);
  return begin(farm, spec, { version, state: 'cloning', image: template, on: [image.node], ...wish });
}

/** A launch of a version that the registry may not have yet. */
export async function beginLaunch(farm: Farm, spec: AppSpec, version: number, because: string): Promise<InstanceRecord> {
  return begin(farm, spec, { version, state: 'launching', on: null, because, onlyFirst: false });
}

interface Begin extends BeginWish {
  readonly version: number;
  readonly state: 'cloning' | 'launching';
  readonly image?: string;
  /** Nodes that will do; null for any. */
  readonly on: readonly RoleId[] | null;
}

async function begin(farm: Farm, spec: AppSpec, { because, on, ...rest }: Begin): Promise<InstanceRecord> {
  const [aid] = await farm.registry.aids.next();
  if (aid === undefined) throw new FarmError('internal', 'the registry gave no AID');
  const node = await placeInstance(farm, spec, { aid, on });
  return farm.registry.instances.create({ aid, app: spec.name, node, ...rest, reason: because, now: farm.now() });
}
