import { WireError } from '@appshot/protocol';
import { z } from 'zod';
import type { ApiRoute } from './api-route.js';

/** The control API's description, from the same table that serves it. */
export function openApiOf(routes: readonly ApiRoute[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'AppShot control API', version: '0.1.0', description: 'What the `appshot` command does, it does through this. Every error is a coded one.' },
    paths,
    components: { schemas: { Error: jsonSchema(WireError, 'output') } },
  };
}

function operationOf(route: ApiRoute): Record<string, unknown> {
  const content = typeof route.answers === 'string' ? { [route.answers]: { schema: { type: 'string' } } } : { 'application/json': { schema: jsonSchema(route.answers, 'output') } };
  return {
    summary: route.summary,
    parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')],
    ...(route.body && { requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(route.body, 'input') } } } }),
    responses: {
      200: { description: 'Done.', content },
      default: { description: 'Refused or failed.', content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
    },
  };
}

function parametersOf(schema: z.ZodObject | undefined, where: 'path' | 'query'): Record<string, unknown>[] {
  return Object.entries(schema?.shape ?? {}).map(([name, type]) => {
    const value = type as z.ZodType;
    return { name, in: where, required: where === 'path' || !value.safeParse(undefined).success, schema: jsonSchema(value, 'input') };
  });
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
