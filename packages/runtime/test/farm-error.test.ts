import { ErrorCode } from '@appshot/protocol';
import test from 'ava';
import { exitCodeOf, FarmError, httpStatusOf } from '../src/index.js';

test('an error crosses the wire with its code, message and facts, and without its cause', (t) => {
  const error = new FarmError('no-room', 'node n1 has no room', { facts: { shortByBytes: 5 }, cause: new Error('secret') });
  const wire = JSON.parse(JSON.stringify(error.toWire())) as ReturnType<FarmError['toWire']>;
  t.deepEqual(wire, { code: 'no-room', message: 'node n1 has no room', facts: { shortByBytes: 5 } });
  const back = FarmError.fromWire(wire);
  t.true(back instanceof FarmError && back instanceof Error);
  t.deepEqual(back.toWire(), wire);
  t.deepEqual(new FarmError('timeout', 'late').toWire(), { code: 'timeout', message: 'late' });
});

test('whatever was thrown becomes a FarmError', (t) => {
  const own = new FarmError('not-found', 'x');
  t.is(FarmError.from(own), own);
  const system = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  t.like(FarmError.from(system), { code: 'disk-full', cause: system });
  const native = Object.assign(new Error('fd 12 is an io_uring'), { code: 'unsupported-state', facts: { resources: ['fd 12'] } });
  t.like(FarmError.from(native), { code: 'unsupported-state', message: 'fd 12 is an io_uring', facts: { resources: ['fd 12'] } });
  t.like(FarmError.from(Object.assign(new Error('in use'), { code: 'EADDRINUSE' })), { code: 'port-in-use' });
  t.like(FarmError.from(new TypeError('bug')), { code: 'internal', message: 'bug' });
  t.like(FarmError.from('text'), { code: 'internal', message: 'text' });
});

test('every code has an HTTP status of an error and an exit code', (t) => {
  for (const code of ErrorCode.options) {
    t.true(httpStatusOf(code) >= 400 && httpStatusOf(code) < 600, code);
    t.is(exitCodeOf(code), code === 'bad-request' ? 2 : 1);
  }
});
