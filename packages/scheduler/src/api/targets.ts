import { Aid, AppName, type InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { z } from 'zod';
import type { Farm } from '../farm.js';

/** An app, or one instance of it. */
export const Target = z.union([Aid, AppName]);

export type Targeted = { readonly kind: 'app'; readonly app: string; readonly instances: InstanceRecord[] } | { readonly kind: 'instance'; readonly record: InstanceRecord };

/** What a target names, as the registry has it now. An app's name that looks like an AID is taken for an AID first. @throws FarmError `not-found` */
export async function resolveTarget(farm: Farm, target: string): Promise<Targeted> {
  if (Aid.safeParse(target).success) {
    const record = await farm.registry.instances.get(target);
    if (record !== undefined) return { kind: 'instance', record };
  }
  const app = await farm.registry.apps.get(target);
  if (app === undefined) throw new FarmError('not-found', `there is no app and no instance "${target}"`);
  return { kind: 'app', app: target, instances: await farm.registry.instances.ofApp(target) };
}

export const instancesOf = (targeted: Targeted): InstanceRecord[] => (targeted.kind === 'app' ? targeted.instances : [targeted.record]);

/** What verbs that work on instances answer. */
export const Outcomes = z.array(z.object({ aid: Aid, phases: z.record(z.string(), z.number()) }));
export type Outcomes = z.output<typeof Outcomes>;
