import test from 'ava';
import { copyResponseHeaders, trailerPairs } from '../src/headers/response-headers.js';
import { serverTiming } from '../src/headers/server-timing.js';

const raw = (...fields: string[]): Buffer[] => fields.map((field) => Buffer.from(field, 'latin1'));

test('response fields pass as they came, but for those of the connection and those it names', (t) => {
  const out: string[] = [];
  const length = copyResponseHeaders(raw('Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Connection', 'close, X-Hop', 'x-hop', '1', 'Content-Length', '12', 'KEEP-ALIVE', 'timeout=5', 'X-Ü', 'é'), out);
  t.is(length, 12);
  t.deepEqual(out, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Content-Length', '12', 'X-Ü', 'é']);
});

test('a response cannot take its length away by naming it in Connection', (t) => {
  const out: string[] = [];
  copyResponseHeaders(raw('Connection', 'content-length', 'Content-Length', '3'), out);
  t.deepEqual(out, ['Content-Length', '3']);
});

test('trailers cannot carry what frames or controls a message', (t) => {
  t.deepEqual(trailerPairs(raw('X-Sum', 'abc', 'Content-Length', '3', 'Set-Cookie', 'x=1')), [['X-Sum', 'abc']]);
});

test('the phases of a wait add up to it', (t) => {
  const value = serverTiming({ wake: { how: 'restore', phases: { decide: 1, fill: 2.5, 'first reply': 3 } }, heldMs: 10, replyMs: 4 });
  t.is(value, 'wake;desc=restore;dur=10.0, hold;dur=3.5, decide;dur=1.0, fill;dur=2.5, first-reply;dur=3.0, reply;dur=4.0');
  t.is(serverTiming({ wake: undefined, heldMs: 7, replyMs: 1 }), 'hold;dur=7.0, reply;dur=1.0');
});
