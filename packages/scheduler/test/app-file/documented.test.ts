import { readFile } from 'node:fs/promises';
import test from 'ava';
import { z } from 'zod';
import { AppFile } from '../../src/app-file/app-file.js';

type Schema = z.core.JSONSchema.BaseSchema;

/** Every key of an app file, with its default as JSON where it has one of its own. */
function keysOf(schema: Schema, prefix = ''): { key: string; standard: string | undefined }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const inner = property as Schema;
    const key = `${prefix}${name}`;
    if (inner.properties !== undefined) return keysOf(inner, `${key}.`);
    const row = { key, standard: inner.default === undefined ? undefined : JSON.stringify(inner.default) };
    return [row, ...keysOf((inner.items ?? {}) as Schema, `${key}[].`)];
  });
}

test('docs/app-file.md has every key of an app file, with its default', async (t) => {
  const text = await readFile(new URL('../../../../docs/app-file.md', import.meta.url), 'utf8');
  const rows = new Map([...text.matchAll(/^\| `([^`]+)` \|[^|]*\| ([^|]*) \|/gm)].map(([, key = '', standard = '']) => [key, standard]));
  const keys = keysOf(z.toJSONSchema(AppFile, { io: 'input' }));
  t.deepEqual([...rows.keys()].sort(), keys.map(({ key }) => key).sort());
  for (const { key, standard } of keys) if (standard !== undefined) t.is(rows.get(key), `\`${standard}\``, key);
});
