import { agentCalls, type InstanceRecord } from '@appshot/protocol';
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

/** One translation between what an instance sees and what its node has. */
export interface ResourceId { readonly type: string; readonly virtual: string | number; readonly system: string | number }

/** The ids that an instance sees beside those of its node. @throws FarmError `not-found` */
export async function resourceIdsOf(farm: Farm, aid: string): Promise<{ aid: string; node: string; rids: ResourceId[] }> {
  const instance = await farm.registry.instances.get(aid);
  if (instance === undefined) throw new FarmError('not-found', `there is no instance "${aid}"`);
  const found = await farm.bus.call(agentCalls(instance.node).inspect, { id: aid });
  const told = found['rids'];
  const rids = Array.isArray(told) ? (told as ResourceId[]) : [...endpointIds(farm, instance.app, instance.endpoint), ...processIds(found['processes'])];
  return { aid, node: instance.node, rids: [...rids, ...(await exposedIds(farm, instance))] };
}

function endpointIds(farm: Farm, app: string, endpoint: { ip: string; port: number } | undefined): ResourceId[] {
  if (endpoint === undefined) return [];
  const port = farm.view.of(app).record?.spec.port ?? endpoint.port;
  return [{ type: 'port', virtual: port, system: `${endpoint.ip}:${endpoint.port}` }];
}

/** What comes to a port of the farm goes on to this instance, among others of its app. */
async function exposedIds(farm: Farm, { app, endpoint }: InstanceRecord): Promise<ResourceId[]> {
  const ports = await farm.registry.ports.ofApp(app);
  return ports.map(({ farmPort, port }) => ({ type: 'farm port', virtual: endpoint === undefined ? port : `${endpoint.ip}:${port}`, system: farmPort }));
}

/** An engine that lists its processes says of each its pid inside and outside. */
function processIds(processes: unknown): ResourceId[] {
  if (!Array.isArray(processes)) return [];
  return processes.flatMap((one: { vpid?: unknown; pid?: unknown }) =>
    (typeof one.vpid === 'number' && typeof one.pid === 'number' ? [{ type: 'pid', virtual: one.vpid, system: one.pid }] : []));
}
