import { z } from 'zod';
import { AppFile } from './app-file.js';

type JsonSchema = z.core.JSONSchema.BaseSchema;

const appFileSchema: JsonSchema = z.toJSONSchema(AppFile, { io: 'input' });

/** What may stand at a path of an app file, in words, from the schema itself. */
export function describeAllowed(path: readonly PropertyKey[]): string {
  const schema = schemaAt(path);
  return schema === null ? 'nothing here' : describe(schema);
}

/** Keys that may stand at a path of an app file; none where any may. */
export function allowedKeys(path: readonly PropertyKey[]): string[] {
  return Object.keys(schemaAt(path)?.properties ?? {});
}

function schemaAt(path: readonly PropertyKey[]): JsonSchema | null {
  let schema: JsonSchema | undefined = appFileSchema;
  for (const key of path) {
    const next = typeof key === 'number' ? schema?.items : schema?.properties?.[String(key)] ?? schema?.additionalProperties;
    if (next === undefined || typeof next === 'boolean' || Array.isArray(next)) return null;
    schema = next as JsonSchema;
  }
  return schema ?? null;
}

function describe(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => describe(one as JsonSchema)).join(', or ');
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`;
  if (schema.const !== undefined) return String(schema.const);
  switch (schema.type) {
    case 'integer': return `a whole number${range(schema)}`;
    case 'number': return `a number${range(schema)}`;
    case 'boolean': return 'true or false';
    case 'array': return `a list of ${describe((schema.items ?? {}) as JsonSchema)}`;
    case 'object': return describeObject(schema);
    case 'string': return 'text (in quotes when it looks like a number, true, false or null)';
    default: return 'any value';
  }
}

function describeObject(schema: JsonSchema): string {
  const keys = Object.keys(schema.properties ?? {});
  return keys.length > 0 ? `the keys ${keys.join(', ')}` : 'names with text as their values';
}

function range(schema: JsonSchema): string {
  const low = schema.minimum;
  const high = schema.maximum;
  if (low !== undefined && high !== undefined && high < Number.MAX_SAFE_INTEGER) return ` from ${low} to ${high}`;
  return low !== undefined ? ` of at least ${low}` : '';
}
