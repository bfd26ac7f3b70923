import test from 'ava';
import { Closer, createLogger } from '../src/index.js';

const logger = createLogger('test');

test('what was opened last is closed first; a failure or a hang does not keep the rest open', async (t) => {
  const closed: string[] = [];
  const closer = new Closer({ logger, stepWithinMs: 50 });
  closer.add('first', () => { closed.push('first'); });
  closer.add('hangs', () => new Promise<void>(() => undefined));
  closer.add('throws', () => { throw new Error('no'); });
  closer.add('last', async () => { closed.push('last'); });
  await Promise.all([closer.close(), closer.close()]);
  t.deepEqual(closed, ['last', 'first']);
});

test('what is added after closing has begun is closed too', async (t) => {
  const closed: string[] = [];
  const closer = new Closer({ logger });
  closer.add('outer', async () => { closer.add('late', () => { closed.push('late'); }); });
  await closer.close();
  closer.add('later', () => { closed.push('later'); });
  await closer.close();
  t.deepEqual(closed, ['late', 'later']);
});
