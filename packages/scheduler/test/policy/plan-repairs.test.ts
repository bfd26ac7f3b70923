import test from 'ava';
import fc from 'fast-check';
import { InstanceState, type InstanceRecord } from '@appshot/protocol';
import { planRepairs, repairTuning, type NodeListing, type RegistryView, type Repair } from '../../src/policy/plan-repairs.js';

const now = 1_000_000;
const endpoint = { ip: '10.0.0.1', port: 80 };
const aid = (n: number): string => `a${n.toString(16).padStart(13, '0')}`;
const record = (n: number, state: InstanceState, part: Partial<InstanceRecord> = {}): InstanceRecord => ({
  aid: aid(n), app: 'shop', version: 1, state, epoch: 3, node: 'n1', memoryBytes: 0, pids: 0, since: 0, reason: 'test', ...part,
});
const listing = (running: number[] = [], images: string[] = []): NodeListing =>
  ({ node: 'n1', running: running.map((n) => ({ aid: aid(n), epoch: 3, endpoint })), images });
const registry = (instances: InstanceRecord[], templates: string[] = []): RegistryView => ({ instances, templates, apps: 1 });

/** What is planned when things stay as they are for long enough. */
function settled(list: NodeListing, view: RegistryView): Repair[] {
  const first = planRepairs(list, view, {}, now);
  return planRepairs(list, view, first.suspicions, now + repairTuning.imageSureAfterMs).repairs;
}

test('where both agree nothing is done', (t) => {
  const view = registry([record(1, 'ready'), record(2, 'asleep', { image: aid(2) })], ['tpl']);
  t.deepEqual(settled(listing([1], [aid(2), 'tpl']), view), []);
});

test('nothing is destroyed on one look', (t) => {
  t.deepEqual(planRepairs(listing([9], ['x']), registry([record(1, 'ready')]), {}, now).repairs, []);
});

test('each disagreement has its repair', (t) => {
  t.deepEqual(settled(listing(), registry([record(1, 'ready')])), [{ kind: 'lost', aid: aid(1), because: 'not-running' }]);
  t.deepEqual(settled(listing(), registry([record(1, 'asleep')])), [{ kind: 'lost', aid: aid(1), because: 'image-missing' }]);
  t.deepEqual(settled(listing([1]), registry([record(1, 'asleep')])), [{ kind: 'adopt', aid: aid(1), epoch: 3, endpoint }]);
  t.deepEqual(settled(listing(), registry([record(1, 'parked')])), [{ kind: 'lost', aid: aid(1), because: 'not-running' }]);
  const frozen: NodeListing = { ...listing(), running: [{ aid: aid(1), epoch: 3, endpoint, parked: true }] };
  t.deepEqual(settled(frozen, registry([record(1, 'ready')])), [{ kind: 'unpark', aid: aid(1) }]);
  t.deepEqual(settled(frozen, registry([record(1, 'parked')])), []);
  t.deepEqual(settled(listing([9]), registry([])), [{ kind: 'stop-orphan', node: 'n1', aid: aid(9), epoch: 3 }]);
  t.deepEqual(settled(listing([], ['old']), registry([])), [{ kind: 'remove-image', node: 'n1', image: 'old' }]);
});

test('a registry that lost its last writes catches up with the node', (t) => {
  t.deepEqual(settled(listing([1]), registry([record(1, 'ready', { epoch: 2 })])), [{ kind: 'adopt', aid: aid(1), epoch: 3, endpoint }]);
});

test('a registry that has lost everything destroys nothing', (t) => {
  t.deepEqual(settled(listing([9], ['old']), { instances: [], templates: [], apps: 0 }), []);
});

test('a transition that somebody left half done is finished, a young one is left alone', (t) => {
  for (const state of ['launching', 'cloning', 'restoring', 'unparking', 'snapshotting', 'stopping', 'failed'] as const) {
    t.deepEqual(planRepairs(listing([1]), registry([record(1, state)]), {}, now).repairs, [{ kind: 'finish', aid: aid(1), state }]);
    t.deepEqual(planRepairs(listing([1]), registry([record(1, state, { since: now - 100 })]), {}, now).repairs, []);
  }
  t.deepEqual(planRepairs(listing([1]), registry([record(1, 'draining', { since: now - 30_000 })]), {}, now).repairs, []);
});

test('a suspicion that did not last is forgotten', (t) => {
  const first = planRepairs(listing(), registry([record(1, 'ready')]), {}, now);
  const second = planRepairs(listing([1]), registry([record(1, 'ready')]), first.suspicions, now + 60_000);
  t.deepEqual(second, { repairs: [], suspicions: {} });
});

test('instances of other nodes are not touched, and what they name is not removed', (t) => {
  const view = registry([record(1, 'ready', { node: 'n2', image: 'tpl' })]);
  t.deepEqual(settled(listing([], ['tpl']), view), []);
});

test('over random farms: one round of repairs leaves nothing to repair', (t) => {
  const instance = fc.record({ state: fc.constantFrom(...InstanceState.options.filter((state) => state !== 'gone')), recorded: fc.boolean(), running: fc.boolean(), image: fc.boolean() });
  fc.assert(fc.property(fc.array(instance, { maxLength: 12 }), fc.array(fc.constantFrom('t1', 't2'), { maxLength: 2 }), (parts, images) => {
    const before = {
      list: listing(parts.flatMap((part, n) => (part.running ? [n] : [])), [...new Set([...images, ...parts.flatMap((part, n) => (part.image ? [aid(n)] : []))])]),
      view: registry(parts.flatMap((part, n) => (part.recorded ? [record(n, part.state)] : [])), ['t1']),
    };
    const repairs = settled(before.list, before.view);
    const after = repairs.reduce(applied, before);
    t.deepEqual(settled(after.list, after.view), []);
  }));
});

/** What a repair does, told to the model; a finished transition ends in the state that it was on its way to. */
function applied(farm: { list: NodeListing; view: RegistryView }, repair: Repair): { list: NodeListing; view: RegistryView } {
  const { list, view } = farm;
  const without = (one: string): InstanceRecord[] => view.instances.filter((other) => other.aid !== one);
  const set = (one: string, state: InstanceState): InstanceRecord[] => view.instances.map((other) => (other.aid === one ? { ...other, state } : other));
  const stop = (one: string): NodeListing => ({ ...list, running: list.running.filter((other) => other.aid !== one) });
  const run = (one: string): NodeListing => ({ ...stop(one), running: [...stop(one).running, { aid: one, epoch: 3, endpoint, parked: false }] });
  switch (repair.kind) {
    case 'unpark': return { list: { ...list, running: list.running.map((one) => (one.aid === repair.aid ? { ...one, parked: false } : one)) }, view };
    case 'adopt': return { list, view: { ...view, instances: set(repair.aid, 'ready') } };
    case 'lost': return { list: { ...list, images: list.images.filter((image) => image !== repair.aid) }, view: { ...view, instances: without(repair.aid) } };
    case 'stop-orphan': return { list: { ...stop(repair.aid), images: list.images.filter((image) => image !== repair.aid) }, view };
    case 'remove-image': return { list: { ...list, images: list.images.filter((image) => image !== repair.image) }, view };
    case 'finish': {
      if (repair.state === 'stopping' || repair.state === 'failed') return { list: { ...stop(repair.aid), images: list.images.filter((image) => image !== repair.aid) }, view: { ...view, instances: without(repair.aid) } };
      if (repair.state === 'snapshotting') return { list: { ...stop(repair.aid), images: [...new Set([...list.images, repair.aid])] }, view: { ...view, instances: set(repair.aid, 'asleep') } };
      return { list: run(repair.aid), view: { ...view, instances: set(repair.aid, 'ready') } };
    }
  }
}
