import type { FastifyInstance, FastifyReply } from 'fastify';
import { FarmError } from '@appshot/runtime';
import type { z } from 'zod';

/** What a handler gets: validated. */
export interface ApiRequest<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** For streams and unusual statuses; nearly every handler just returns its answer. */
  readonly reply: FastifyReply;
}

/** One path of the control API: what goes in, what comes out, what it does. Registered and documented from the same table. */
export interface ApiRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With `:name` for parameters. */
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodObject | undefined;
  readonly query?: z.ZodObject | undefined;
  readonly body?: z.ZodObject | undefined;
  /** A schema for JSON, or the content type of a stream or text. */
  readonly answers: z.ZodType | 'text/plain' | 'application/x-ndjson' | 'text/plain; version=0.0.4';
  readonly handle: (request: ApiRequest<never, never, never>) => Promise<unknown>;
}

type Out<S> = S extends z.ZodType ? z.output<S> : Record<string, never>;

/** Makes a row of the table; its only purpose is that the handler sees the types of its schemas. */
export function apiRoute<P extends z.ZodObject | undefined = undefined, Q extends z.ZodObject | undefined = undefined, B extends z.ZodObject | undefined = undefined>(
  route: Omit<ApiRoute, 'params' | 'query' | 'body' | 'handle'> & { params?: P; query?: Q; body?: B; handle: (request: ApiRequest<Out<P>, Out<Q>, Out<B>>) => Promise<unknown> },
): ApiRoute {
  return route as unknown as ApiRoute;
}

/** Puts the table on a server. */
export function registerRoutes(server: FastifyInstance, routes: readonly ApiRoute[]): void {
  for (const route of routes) {
    server.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => route.handle({
        params: parse(route.params, request.params, 'the path'),
        query: parse(route.query, request.query, 'the query'),
        body: parse(route.body, request.body ?? {}, 'the body'),
        reply,
      } as ApiRequest<never, never, never>),
    });
  }
}

function parse(schema: z.ZodType | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return {};
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), problem: issue.message }));
  throw new FarmError('bad-request', `${what} is not valid: ${problems.map(({ path, problem }) => `${path === '' ? '' : `${path}: `}${problem}`).join('; ')}`, { facts: { problems } });
}
