import { agentCalls, residentStates, type InstanceRecord, type ResourceId, type ResourceIdQuery } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';

/** Everything known of an instance or image: by its node's engine, and by the registry. @throws FarmError `not-found` */
export async function inspectTarget(farm: Farm, id: string): Promise<Record<string, unknown>> {
  const instance = await farm.registry.instances.get(id);
  const image = await farm.registry.images.get(id);
  const node = instance?.node ?? image?.node;
  if (node === undefined) throw new FarmError('not-found', `there is no instance and no image "${id}"`);
  const found = await farm.bus.call(agentCalls(node).inspect, { id });
  return { ...found, registry: { ...(instance && { instance }), ...(image && { image }) } };
}

/** What an instance calls its resources, beside what its node calls them. @throws FarmError `not-found` */
export async function resourceIdsOf(farm: Farm, aid: string, query: ResourceIdQuery): Promise<{ aid: string; node: string; rids: ResourceId[] }> {
  const instance = await farm.registry.instances.get(aid);
  if (instance === undefined) throw new FarmError('not-found', `there is no instance "${aid}"`);
  const exposed = (await exposedIds(farm, instance)).filter((id) => matches(id, query));
  // One that sleeps has no ids on any node; the virtual ones stand in its image.
  if (!residentStates.has(instance.state)) return { aid, node: instance.node, rids: exposed };
  const { rids } = await farm.bus.call(agentCalls(instance.node).rids, { aid, ...query });
  return { aid, node: instance.node, rids: [...rids, ...exposed] };
}

/** What comes to a port of the farm goes on to this instance, among others of its app. */
async function exposedIds(farm: Farm, { app, endpoint }: InstanceRecord): Promise<ResourceId[]> {
  const ports = await farm.registry.ports.ofApp(app);
  return ports.map(({ farmPort, port }) => ({ type: 'farm port', virtual: endpoint === undefined ? port : `${endpoint.ip}:${port}`, system: farmPort }));
}

const matches = (id: ResourceId, { type, virtual, system }: ResourceIdQuery): boolean =>
  (type ?? id.type) === id.type && (virtual ?? String(id.virtual)) === String(id.virtual) && (system ?? String(id.system)) === String(id.system);
