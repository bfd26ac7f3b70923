import { agentCalls } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { deployLease } from './deploy-app.js';
import { retireInstance } from './retire-instance.js';

/** Rounds in which instances that came up meanwhile are looked for. */
const rounds = 3;

/**
 * Takes an app off the farm: its route first, so that nobody new comes; then its instances, once they have answered whom they
 * have; then its images. What a crash leaves is taken up by reconciling: instances of no app are stopped, images of nobody removed.
 * @throws FarmError `not-found`, `unavailable` (it is being deployed)
 */
export async function removeApp(farm: Farm, name: string): Promise<void> {
  const held = await farm.leases.holdLong(deployLease(name), async () => {
    if (!(await farm.registry.apps.remove(name))) throw new FarmError('not-found', `there is no app "${name}"`);
    await endInstances(farm, name, 'its app was removed');
    await removeImages(farm, name);
    farm.events.ofApp(name, { type: 'removed', because: 'asked for' });
    farm.traffic.forget(name);
    farm.memory.forget(name);
  }, 60_000);
  if (held.kind === 'taken') throw new FarmError('unavailable', `${name} is being deployed or removed by somebody else; try again`);
}

/** Ends every instance of an app, also those that are asleep or on their way. */
export async function endInstances(farm: Farm, name: string, because: string): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const instances = await farm.registry.instances.ofApp(name);
    if (instances.length === 0) return;
    await Promise.all(instances.map((record) => retireInstance(farm, record, { because, drainMs: farm.config.retireDrainMs, whenBusy: 'stop', type: 'stopped' })));
  }
}

async function removeImages(farm: Farm, name: string): Promise<void> {
  for (const image of await farm.registry.images.ofApp(name)) {
    try {
      await farm.bus.call(agentCalls(image.node).removeImage, { image: image.id });
    } catch (err) {
      farm.logger.warn({ err, image: image.id }, 'an image could not be removed yet');
    }
  }
}
