import { agentCalls, type InstanceRecord, type Millis, type RoleId } from '@appshot/protocol';
import type { Farm } from '../farm.js';
import type { JobDesk } from '../jobs/job-desk.js';
import { asked } from '../ops/asked.js';
import { callAgent } from '../ops/call-agent.js';
import { growApp } from '../ops/grow-app.js';
import { plannedBytes } from '../ops/place-instance.js';
import { roomOn, type NodeView } from '../policy/choose-node.js';
import { decideTiers, type TierDecision, type TierSite } from '../policy/decide-tiers.js';
import { startingStates } from './site-views.js';

/** How long a clone that somebody asked to have parked is left alone, milliseconds. */
const askedForMs = 60_000;

/** Keeps on each node what its apps are likely to want next: parked clones and resident zygotes, as far as there is memory. */
export async function lookAtTiers(farm: Farm, jobs: JobDesk, now: Millis): Promise<void> {
  for (const node of farm.nodes.alive(now)) {
    const sites = await sitesOn(farm, node.node, now);
    const memory = { roomBytes: roomOn(node), totalBytes: node.memoryTotalBytes, pressure: node.memoryPressure };
    for (const decision of decideTiers(sites, memory, now)) follow(farm, jobs, node, { decision, now });
  }
}

/** Those of which something is awake or kept ready there. A thousand sleeping sites are not looked at one by one. */
async function sitesOn(farm: Farm, node: RoleId, now: Millis): Promise<TierSite[]> {
  const zygotes = new Set(farm.nodes.zygotesOn(node).map(({ app }) => app));
  const looked = farm.view.names().map(async (app): Promise<TierSite | null> => {
    const { record, instances } = farm.view.of(app);
    if (record === null || (!zygotes.has(app) && instances.every((one) => one.state === 'asleep'))) return null;
    const template = record.template === null ? undefined : await farm.registry.images.get(record.template);
    const here = template?.node === node ? template : undefined;
    if (here === undefined && !zygotes.has(app)) return null;
    return {
      app, priority: record.spec.priority, max: record.spec.scale.max,
      awake: instances.filter((one) => one.state === 'ready' || startingStates.has(one.state)).length,
      templateBytes: here?.bytes ?? null, cloneBytes: plannedBytes(farm, record.spec), growth: farm.memory.of(app, now).growth,
      zygote: zygotes.has(app), parked: parkedOf(instances).length,
    };
  });
  return (await Promise.all(looked)).filter((site) => site !== null);
}

const parkedOf = (instances: readonly InstanceRecord[]): InstanceRecord[] => instances.filter((one) => one.state === 'parked');

function follow(farm: Farm, jobs: JobDesk, { node }: NodeView, { decision, now }: { decision: TierDecision; now: Millis }): void {
  const { record, instances } = farm.view.of(decision.app);
  if (record === null) return;
  const parked = parkedOf(instances);
  const spare = parked.filter((one) => one.reason !== asked || now - one.since > askedForMs);
  for (const { aid } of spare.slice(0, Math.max(0, parked.length - decision.parked))) jobs.retire({ app: decision.app, aid, because: `nothing of it is to be kept parked (${decision.because})` });
  if (record.trial === null && parked.length < decision.parked) park(farm, decision);
  const resident = farm.nodes.zygotesOn(node).find(({ app }) => app === decision.app)?.image ?? null;
  if (decision.zygote ? record.template !== null && resident !== record.template : resident !== null) {
    warm(farm, node, { app: decision.app, image: (decision.zygote ? record.template : resident) ?? '', resident: decision.zygote });
  }
}

function park(farm: Farm, { app, parked }: TierDecision): void {
  const task = `park:${app}`;
  if (farm.underway.has(task) || farm.now() < farm.memory.of(app, farm.now()).startNotBefore) return;
  const count = (fresh: readonly InstanceRecord[]): number => Math.max(0, parked - parkedOf(fresh).length);
  farm.underway.join(task, () => growApp(farm, app, { because: 'it grew lately, and may again', count, onlyClones: true, parked: true }))
    .catch((err: unknown) => farm.logger.warn({ err, app }, 'clones could not be parked yet; it is looked at again'));
}

function warm(farm: Farm, node: RoleId, zygote: { app: string; image: string; resident: boolean }): void {
  const task = `warm:${zygote.app}`;
  if (farm.underway.has(task)) return;
  farm.underway.join(task, () => callAgent(farm, agentCalls(node).warm, zygote))
    .catch((err: unknown) => farm.logger.warn({ err, ...zygote }, 'a template\'s memory could not be made resident or let go yet'));
}
