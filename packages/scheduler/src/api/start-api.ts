import { FarmError, httpStatusOf, type Logger } from '@appshot/runtime';
import fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Farm } from '../farm.js';
import type { WakeDesk } from '../ops/wake-desk.js';
import { apiRoute, registerRoutes } from './api-route.js';
import { appRoutes } from './app-routes.js';
import { farmRoutes } from './farm-routes.js';
import { instanceRoutes } from './instance-routes.js';
import { isKnownHost } from './is-known-host.js';
import { openApiOf } from './openapi.js';

export interface RunningApi {
  /** http://HOST:PORT */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the control API. @throws FarmError `port-in-use`, `bad-request` (an address that is none of this machine) */
export async function startApi(farm: Farm, desk: WakeDesk): Promise<RunningApi> {
  // Streams that follow have no end of their own: closing cuts them.
  const server = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 2_000_000 });
  const routes = [...appRoutes(farm), ...instanceRoutes(farm, desk), ...farmRoutes(farm)];
  const description = openApiOf(routes);
  registerRoutes(server, [...routes, apiRoute({ method: 'GET', path: '/openapi.json', summary: 'This description.', answers: z.record(z.string(), z.unknown()), handle: async () => description })]);
  answerErrors(server, farm.logger);
  server.addHook('onRequest', async (request) => {
    if (isKnownHost(request.headers.host, farm.config.apiHosts)) return;
    throw new FarmError('bad-request', `the control API is not called ${request.headers.host}; the scheduler's setting apiHosts allows further names`);
  });
  const { host, port } = hostAndPort(farm.config.api);
  try {
    const url = await server.listen({ host, port });
    return { url, close: () => server.close() };
  } catch (cause) {
    const error = FarmError.from(cause);
    throw new FarmError(error.code === 'internal' ? 'bad-request' : error.code, `the control API cannot listen on ${farm.config.api}: ${error.message}`, { cause });
  }
}

/** Every error leaves as a coded one, with the status of its code. */
function answerErrors(server: FastifyInstance, logger: Logger): void {
  server.setNotFoundHandler((request, reply) => {
    const error = new FarmError('not-found', `the control API has no ${request.method} ${request.url.split('?')[0]}; see /openapi.json`);
    return reply.status(httpStatusOf(error.code)).send(error.toWire());
  });
  server.setErrorHandler((thrown, request, reply) => {
    const status = (thrown as { statusCode?: unknown }).statusCode;
    // Fastify's own: a body that is no JSON, too large, of another type.
    const error = typeof status === 'number' && status < 500 ? new FarmError('bad-request', (thrown as Error).message, { cause: thrown }) : FarmError.from(thrown);
    if (error.code === 'internal') logger.error({ err: thrown, method: request.method, url: request.url }, 'the control API failed');
    const retryAfterS = error.facts?.['retryAfterS'];
    if (typeof retryAfterS === 'number') void reply.header('retry-after', retryAfterS);
    return reply.status(httpStatusOf(error.code)).send(error.toWire());
  });
}

function hostAndPort(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) };
}
