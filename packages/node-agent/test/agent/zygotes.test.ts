import { createLogger } from '@appshot/runtime';
import test from 'ava';
import { Zygotes } from '../../src/agent/zygotes.js';

test('one template of an app is resident while the app runs here, the newest', (t) => {
  const asked: string[] = [];
  const zygotes = new Zygotes({ warm: async (image, resident) => { asked.push(`${resident ? '+' : '-'}${image}`); } }, createLogger('test'));
  zygotes.keep('shop', 't1');
  zygotes.keep('shop', 't1');
  zygotes.keep('blog', 'b1');
  zygotes.keep('shop', 't2');
  zygotes.release('shop');
  zygotes.release('shop');
  t.deepEqual(asked, ['+t1', '+b1', '-t1', '+t2', '-t2']);
});
