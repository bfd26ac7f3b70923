import test from 'ava';
import { z } from 'zod';
import { FarmError, loadConfig } from '../src/index.js';
import { waitUntil } from '../src/testing/index.js';

const schema = z.object({ PORT: z.coerce.number().int().min(1), IDLE_FOR_MS: z.coerce.number().default(5), NAME: z.string() });

test('a good environment is parsed, defaults filled in', (t) => {
  t.deepEqual(loadConfig(schema, { PORT: '80', NAME: 'x', HOME: '/root' }), { PORT: 80, IDLE_FOR_MS: 5, NAME: 'x' });
});

test('every problem is reported at once', (t) => {
  const error = t.throws(() => loadConfig(schema, { PORT: '0', IDLE_FOR_MS: 'soon' }), { instanceOf: FarmError }) as FarmError;
  t.is(error.code, 'bad-request');
  t.deepEqual((error.facts!['problems'] as { at: string }[]).map(({ at }) => at), ['PORT', 'IDLE_FOR_MS', 'NAME']);
});

test('waiting gives the answer, or says what it waited for and what went wrong last', async (t) => {
  let asked = 0;
  t.is(await waitUntil(() => { if (asked++ < 3) throw new Error('not yet'); return asked; }, { everyMs: 1 }), 4);
  const options = { withinMs: 30, what: 'the port' };
  const late = await t.throwsAsync(waitUntil(() => { throw new Error('refused'); }, options));
  t.is(late!.message, 'waited 30 ms for the port; last error: refused');
});
