import test from 'ava';
import { type Failure, judgeFailure } from '../src/path/judge-failure.js';

const limits = { refusedForMs: 5_000 };
const failure = (facts: Partial<Failure>): Failure => ({
  code: 'ECONNREFUSED', message: 'x', sent: false, replied: false, reused: false, replayable: true, resent: false, refusingForMs: 0, ...facts,
});

test('what never left goes out again, whatever it is, and the instance rests', (t) => {
  for (const code of ['ECONNREFUSED', 'EHOSTUNREACH', 'ECONNRESET', 'UND_ERR_CONNECT_TIMEOUT']) {
    for (const replayable of [true, false]) t.deepEqual(judgeFailure(failure({ code, replayable }), limits), { kind: 'retry', blame: true });
  }
});

test('an instance that goes on refusing is given up', (t) => {
  t.is(judgeFailure(failure({ refusingForMs: 5_000 }), limits).kind, 'retry');
  t.is(judgeFailure(failure({ refusingForMs: 5_001 }), limits).kind, 'refused');
});

test('what may have arrived is repeated once, only where that does no harm', (t) => {
  const sent = { sent: true, code: 'UND_ERR_SOCKET' };
  t.deepEqual(judgeFailure(failure({ ...sent, reused: true }), limits), { kind: 'retry', blame: false });
  t.deepEqual(judgeFailure(failure({ ...sent, reused: false }), limits), { kind: 'retry', blame: true });
  t.is(judgeFailure(failure({ ...sent, resent: true }), limits).kind, 'broken');
  t.is(judgeFailure(failure({ ...sent, replayable: false }), limits).kind, 'broken');
  t.is(judgeFailure(failure({ ...sent, code: 'HPE_INVALID_CONSTANT' }), limits).kind, 'broken');
});

test('late, invalid and half answers have verdicts of their own', (t) => {
  t.is(judgeFailure(failure({ sent: true, code: 'UND_ERR_HEADERS_TIMEOUT' }), limits).kind, 'late');
  t.is(judgeFailure(failure({ code: 'UND_ERR_INVALID_ARG' }), limits).kind, 'invalid');
  t.is(judgeFailure(failure({ sent: true, code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' }), limits).kind, 'invalid');
  t.is(judgeFailure(failure({ sent: true, replied: true, code: 'UND_ERR_SOCKET' }), limits).kind, 'cut');
});
