import { Aid, AppName, ResourceId, ResourceIdQuery, RoleId } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { z } from 'zod';
import type { Farm } from '../farm.js';
import type { WakeDesk } from '../ops/wake-desk.js';
import { apiRoute, type ApiRoute } from './api-route.js';
import { inspectTarget, resourceIdsOf } from './inspect-target.js';
import { cloneApp, sleepTarget, stopTarget, templateApp, wakeTarget } from './instance-verbs.js';
import { InstanceListing, instanceListing } from './listings.js';
import { Outcomes, Target } from './targets.js';

const Targeting = z.object({ target: Target });
const ResourceIds = z.object({ aid: Aid, node: z.string(), rids: z.array(ResourceId) });

/** What is done to instances, and what is shown of them. */
export function instanceRoutes(farm: Farm, desk: WakeDesk): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET', path: '/instances', summary: 'Every instance, awake and asleep.', answers: z.array(InstanceListing),
      handle: async () => (await farm.registry.instances.list()).map((record) => instanceListing(farm, record)),
    }),
    apiRoute({ method: 'POST', path: '/wake', summary: 'Brings a sleeping app or instance back; answers when it is ready.', body: Targeting, answers: Outcomes, handle: ({ body }) => wakeTarget(farm, desk, body.target) }),
    apiRoute({ method: 'POST', path: '/sleep', summary: 'Saves an app\'s instances, or one, as images; answers when they sleep.', body: Targeting, answers: Outcomes, handle: ({ body }) => sleepTarget(farm, body.target) }),
    apiRoute({ method: 'POST', path: '/stop', summary: 'Ends an app\'s instances, or one, for good; the app stays deployed.', body: Targeting, answers: Outcomes, handle: ({ body }) => stopTarget(farm, body.target) }),
    apiRoute({
      method: 'POST', path: '/clone', summary: 'Makes more instances from the app\'s template; answers when they are ready.',
      body: z.object({ app: AppName, count: z.number().int().min(1).max(1_000).default(1), parked: z.boolean().default(false) }), answers: Outcomes, handle: ({ body }) => cloneApp(farm, body.app, body),
    }),
    apiRoute({
      method: 'POST', path: '/template', summary: 'Makes the app\'s template from a running instance, now.',
      body: z.object({ app: AppName }), answers: z.object({ app: AppName, image: z.string() }), handle: ({ body }) => templateApp(farm, body.app, { again: true }),
    }),
    apiRoute({
      method: 'POST', path: '/move', summary: 'Moves an instance to another node.', body: z.object({ aid: Aid, to: RoleId }), answers: Outcomes,
      handle: async ({ body }) => { throw new FarmError('not-on-one-machine', `${body.aid} cannot be moved to ${body.to}: moving needs a farm of several nodes`); },
    }),
    apiRoute({ method: 'GET', path: '/inspect/:id', summary: 'Everything known of an instance or image.', params: z.object({ id: z.string() }), answers: z.record(z.string(), z.unknown()), handle: ({ params }) => inspectTarget(farm, params.id) }),
    apiRoute({ method: 'GET', path: '/rids/:aid', summary: 'The ids that an instance sees beside those of its node.', params: z.object({ aid: Aid }), query: ResourceIdQuery, answers: ResourceIds, handle: ({ params, query }) => resourceIdsOf(farm, params.aid, query) }),
  ];
}
