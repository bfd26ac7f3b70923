import test from 'ava';
import fc from 'fast-check';
import { chooseNode, memoryShortage, roomOn, type NodeView } from '../../src/policy/choose-node.js';

const now = 50_000;
const node = (name: string, part: Partial<NodeView> = {}): NodeView => ({
  node: name, seenAt: now, cpus: 2, cpuUsed: 0.2, memoryTotalBytes: 8e9, memoryAvailableBytes: 4e9, promisedBytes: 0, memoryPressure: 0, ...part,
});

test('the node with the most room', (t) => {
  t.like(chooseNode([node('a'), node('b', { memoryAvailableBytes: 6e9 })], { memoryBytes: 1e8, on: null }, now), { kind: 'placed', node: 'b' });
});

test('a clone goes where its template is', (t) => {
  t.like(chooseNode([node('a'), node('b', { memoryAvailableBytes: 6e9 })], { memoryBytes: 1e8, on: ['a'] }, now), { kind: 'placed', node: 'a', because: 'has-the-image' });
  t.like(chooseNode([node('b')], { memoryBytes: 1e8, on: ['a'] }, now), { kind: 'none', because: 'image-on-no-live-node' });
});

test('silent nodes get nothing', (t) => {
  t.like(chooseNode([node('a', { seenAt: 0 })], { memoryBytes: 1, on: null }, now), { kind: 'none', because: 'no-node-alive' });
});

test('a node under memory pressure comes last, but comes', (t) => {
  const pressed = node('a', { memoryPressure: 60, memoryAvailableBytes: 6e9 });
  t.like(chooseNode([pressed, node('b')], { memoryBytes: 1e8, on: null }, now), { node: 'b' });
  t.like(chooseNode([pressed], { memoryBytes: 1e8, on: null }, now), { node: 'a' });
});

test('what was promised is not given twice', (t) => {
  const full = chooseNode([node('a', { memoryAvailableBytes: 1e9, promisedBytes: 5e8 })], { memoryBytes: 2e8, on: null }, now);
  t.deepEqual(full, { kind: 'full', node: 'a', shortByBytes: 1e8 });
});

test('shortage grows from a fifth left to nothing left', (t) => {
  t.is(memoryShortage(node('a')), 0);
  t.is(memoryShortage(node('a', { memoryAvailableBytes: 4e8 })), 1);
  t.is(memoryShortage(node('a', { memoryAvailableBytes: 4e8 + 8e8 })), 0.5);
});

test('placed where it fits; full only when it fits nowhere', (t) => {
  const anyNode = fc.record({ memoryAvailableBytes: fc.nat(8e9), promisedBytes: fc.nat(1e9), cpuUsed: fc.double({ min: 0, max: 2, noNaN: true }), memoryPressure: fc.option(fc.nat(100)), seenAt: fc.constantFrom(now, 0) });
  fc.assert(fc.property(fc.array(anyNode, { maxLength: 6 }), fc.nat(4e9), (parts, memoryBytes) => {
    const nodes = parts.map((part, i) => node(`n${i}`, part));
    const alive = nodes.filter((one) => one.seenAt === now);
    const placement = chooseNode(nodes, { memoryBytes, on: null }, now);
    if (placement.kind === 'placed') t.true(roomOn(alive.find((one) => one.node === placement.node)!) >= memoryBytes);
    else if (placement.kind === 'full') t.true(alive.every((one) => roomOn(one) < memoryBytes));
    else t.is(alive.length, 0);
  }));
});
