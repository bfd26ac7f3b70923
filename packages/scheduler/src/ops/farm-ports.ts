import { type AppSpec, type BlockedPort, checkPorts } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';

/**
 * The specification with a farm port for each port that it exposes. One that the farm chose and that turns out to be in use by
 * a program outside of the farm is passed over.
 * @throws FarmError `port-in-use` (facts {farmPort, owner}), `no-room`
 */
export async function claimPorts(farm: Farm, spec: AppSpec): Promise<AppSpec> {
  if (spec.expose.length === 0) return spec;
  const before = (await farm.registry.ports.ofApp(spec.name)).map(({ farmPort }) => farmPort);
  const { exposeLast: last } = farm.config;
  for (let first = farm.config.exposeFirst; ;) {
    const expose = await farm.registry.ports.claim(spec.name, spec.expose, { first, last });
    const blocked = await blockedPorts(farm, expose.flatMap(({ farmPort }) => farmPort ?? []));
    if (blocked.length === 0) return { ...spec, expose };
    await farm.registry.ports.release(spec.name, { but: before });
    const wished = [...before, ...spec.expose.map(({ farmPort }) => farmPort)];
    const fixed = blocked.find(({ farmPort }) => wished.includes(farmPort));
    if (fixed !== undefined) throw inUse(fixed);
    first = Math.max(...blocked.map(({ farmPort }) => farmPort)) + 1;
  }
}

/** Gives back the farm ports that no version of the app stands behind any more. */
export async function releasePorts(farm: Farm, name: string): Promise<void> {
  const app = await farm.registry.apps.get(name);
  const used = [...(app?.spec.expose ?? []), ...(app?.trial?.spec.expose ?? [])];
  await farm.registry.ports.release(name, { but: used.flatMap(({ farmPort }) => farmPort ?? []) });
}

/** What changes an app's versions, and whether it comes about or fails, leaves no port behind. */
export async function releasePortsAfter<T>(farm: Farm, name: string, change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } finally {
    await releasePorts(farm, name);
  }
}

/** Those that no gateway can open. One that does not answer, or is none there, knows of none. */
async function blockedPorts(farm: Farm, farmPorts: number[]): Promise<BlockedPort[]> {
  const gateways = await farm.registry.gateways.live(farm.now());
  const answers = await Promise.all(gateways.map((gateway) =>
    farm.bus.call(checkPorts(gateway), { farmPorts }).then(({ blocked }) => blocked, (err: unknown) => {
      farm.logger.warn({ err, gateway }, 'a gateway did not say whether farm ports are free');
      return null;
    })));
  const said = answers.filter((answer) => answer !== null);
  return (said[0] ?? []).filter(({ farmPort }) => said.every((blocked) => blocked.some((one) => one.farmPort === farmPort)));
}

function inUse({ farmPort, owner }: BlockedPort): FarmError {
  const by = owner === null ? 'another program' : owner;
  return new FarmError('port-in-use', `the farm port ${farmPort} is in use by ${by}, outside of the farm; choose another, or end that program`, { facts: { farmPort, owner } });
}
