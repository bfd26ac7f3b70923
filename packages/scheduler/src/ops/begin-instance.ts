import type { AppRecord, AppSpec, InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { placeInstance } from './place-instance.js';

export interface BeginWish {
  readonly because: string;
  /** Refuse when the app has a live or sleeping instance already. */
  readonly onlyFirst: boolean;
}

/**
 * Records a new instance on its way, as a clone where the app has a template and as a launch where not; bringUp ends it.
 * @throws FarmError `no-room`, `unavailable`, `not-found`, `illegal-transition` (not the first)
 */
export async function beginInstance(farm: Farm, app: AppRecord, from: 'template' | 'command', wish: BeginWish): Promise<InstanceRecord> {
  if (from === 'template') {
    if (app.template === null) throw new FarmError('not-found', `${app.spec.name} has no template`);
    const image = await farm.registry.images.get(app.template);
    if (image === undefined) throw new FarmError('image-invalid', `the template ${app.template} of ${app.spec.name} is on no node`);
    const node = await placeInstance(farm, app.spec, [image.node]);
    return create(farm, app.spec, { version: app.version, node, state: 'cloning', image: app.template, ...wish });
  }
  const node = await placeInstance(farm, app.spec, null);
  return create(farm, app.spec, { version: app.version, node, state: 'launching', ...wish });
}

/** A launch of a version that the registry may not have yet. */
export async function beginLaunch(farm: Farm, spec: AppSpec, version: number, because: string): Promise<InstanceRecord> {
  return create(farm, spec, { version, node: await placeInstance(farm, spec, null), state: 'launching', because, onlyFirst: false });
}

async function create(farm: Farm, spec: AppSpec, wish: { version: number; node: string; state: 'cloning' | 'launching'; image?: string; because: string; onlyFirst: boolean }): Promise<InstanceRecord> {
  const [aid] = await farm.registry.aids.next();
  if (aid === undefined) throw new FarmError('internal', 'the registry gave no AID');
  const { because, ...rest } = wish;
  return farm.registry.instances.create({ aid, app: spec.name, ...rest, reason: because, now: farm.now() });
}
