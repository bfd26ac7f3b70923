import { Readable } from 'node:stream';
import { NodeRecord } from '@appshot/protocol';
import { gatherMetrics } from '@appshot/runtime';
import { z } from 'zod';
import type { Farm } from '../farm.js';
import { apiRoute, type ApiRoute } from './api-route.js';
import { eventStream } from './event-stream.js';
import { Health, healthOf } from './health.js';
import { Top, topOf } from './listings.js';
import { logText } from './log-stream.js';
import { resolveTarget, Target } from './targets.js';

/** `?follow=1`, as a command line's flag becomes a query. */
const follow = z.stringbool().default(false);

/** What is shown of the farm as a whole. */
export function farmRoutes(farm: Farm): ApiRoute[] {
  return [
    apiRoute({ method: 'GET', path: '/nodes', summary: 'Every node and its load.', answers: z.array(NodeRecord), handle: async () => farm.registry.nodes.list() }),
    apiRoute({ method: 'GET', path: '/top', summary: 'Every app with its load now, the busiest first.', answers: Top, handle: async () => topOf(farm) }),
    apiRoute({
      method: 'GET', path: '/events', summary: 'What was decided and done, one JSON object a line; with `follow` without end.', answers: 'application/x-ndjson',
      query: z.object({ follow, after: z.string().regex(/^\d+(-\d+)?$/, 'an event\'s id').optional() }),
      handle: async ({ query, reply }) => reply.type('application/x-ndjson').send(await eventStream(farm, query)),
    }),
    apiRoute({
      method: 'GET', path: '/logs/:target', summary: 'What an app or instance has printed; with `follow` without end.', answers: 'text/plain',
      params: z.object({ target: Target }), query: z.object({ follow }),
      handle: async ({ params, query, reply }) => {
        const stop = new AbortController();
        await checkTarget(farm, params.target);
        const stream = Readable.from(logText(farm, params.target, { follow: query.follow, signal: stop.signal }), { objectMode: false });
        stream.once('close', () => stop.abort());
        reply.raw.once('close', () => stop.abort());
        return reply.type('text/plain; charset=utf-8').send(stream);
      },
    }),
    apiRoute({
      method: 'GET', path: '/health', summary: 'Whether sites can be woken, and which part is away; status 503 when one is.', answers: Health,
      handle: async ({ reply }) => {
        const health = await healthOf(farm);
        return reply.status(health.status === 'ok' ? 200 : 503).send(health);
      },
    }),
    apiRoute({
      method: 'GET', path: '/metrics', summary: 'The metrics of every role, for Prometheus.', answers: 'text/plain; version=0.0.4',
      handle: async ({ reply }) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await gatherMetrics(farm.bus)),
    }),
  ];
}

/** Before the first byte is sent, so that the error has its status. An AID that is gone may still have logs. */
async function checkTarget(farm: Farm, target: string): Promise<void> {
  if (/^a[0-9a-f]{13}$/.test(target)) return;
  await resolveTarget(farm, target);
}
