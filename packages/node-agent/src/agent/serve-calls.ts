import { agentCalls, visitorCame } from '@appshot/protocol';
import type { Bus, Subscription } from '@appshot/runtime';
import type { Engine } from '../engine/engine.js';
import type { AppLogs } from './app-logs.js';
import type { InstanceCards } from './instance-cards.js';
import type { NodeOperations } from './node-operations.js';
import type { OwnWakes } from './own-wakes.js';

export interface ServeCallsParts {
  readonly node: string;
  readonly bus: Bus;
  readonly engine: Engine;
  readonly operations: NodeOperations;
  readonly ownWakes: OwnWakes;
  readonly cards: InstanceCards;
  readonly logs: AppLogs;
}

/** Puts every call of an agent on the bus. */
export async function serveCalls({ node, bus, engine, operations, ownWakes, cards, logs }: ServeCallsParts): Promise<Subscription[]> {
  const calls = agentCalls(node);
  return Promise.all([
    bus.subscribe(visitorCame, (visitor) => ownWakes.visitorCame(visitor)),
    bus.serve(calls.launch, (request) => operations.launch(request)),
    bus.serve(calls.snapshot, (request) => operations.snapshot(request)),
    bus.serve(calls.cancelSnapshot, (request) => operations.cancelSnapshot(request)),
    bus.serve(calls.restore, (request) => operations.restore(request)),
    bus.serve(calls.clone, (request) => operations.clone(request)),
    bus.serve(calls.park, async (request) => {
      await operations.park(request);
      return {};
    }),
    bus.serve(calls.warm, (request) => {
      operations.warm(request);
      return {};
    }),
    bus.serve(calls.unpark, (request) => operations.unpark(request)),
    bus.serve(calls.stop, (request) => operations.stop(request)),
    bus.serve(calls.removeImage, async ({ image }) => {
      await operations.removeImage(image);
      return {};
    }),
    bus.serve(calls.inspect, ({ id }) => engine.inspect(id)),
    bus.serve(calls.rids, async ({ aid, type, virtual, system }) => ({
      rids: await engine.rids({ aid, ...(type && { type }), ...(virtual && { virtual }), ...(system && { system }) }),
    })),
    bus.serve(calls.list, async () => {
      const { running, images } = await engine.list();
      return {
        running: running.map(({ aid, ip, port, state }) => ({
          aid, epoch: cards.epochOf(aid), endpoint: port > 0 ? { ip, port } : null, parked: state === 'parked',
        })),
        images: images.map(({ id, bytes }) => ({ id, bytes })),
      };
    }),
    bus.serve(calls.logs, ({ aid, after, maxBytes }) => logs.read(aid, after, maxBytes)),
  ]);
}
