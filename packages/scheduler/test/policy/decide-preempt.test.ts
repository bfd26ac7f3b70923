import test from 'ava';
import fc from 'fast-check';
import { decidePreempt, type PreemptCandidate, type PreemptNeed } from '../../src/policy/decide-preempt.js';

const aid = (n: number): string => `a${n.toString(16).padStart(13, '0')}`;
const one = (n: number, part: Partial<PreemptCandidate> = {}): PreemptCandidate => ({
  aid: aid(n), app: `app-${n}`, node: 'n1', priority: 100, memoryBytes: 100, inFlight: 0, idleForMs: 1_000, siblings: 1, min: 0, maySleep: true, ...part,
});
const need = (part: Partial<PreemptNeed> = {}): PreemptNeed => ({ node: 'n1', bytes: 100, app: 'shop', priority: 100, ...part });
const victims = (list: PreemptCandidate[], of: Partial<PreemptNeed> = {}): string[] => {
  const decision = decidePreempt(need(of), list);
  return decision.kind === 'preempt' ? decision.victims.map((victim) => `${victim.app}:${victim.how}`) : [decision.because];
};

test('the least important goes first, then the longest idle', (t) => {
  t.deepEqual(victims([one(1), one(2, { priority: 10 })]), ['app-2:sleep']);
  t.deepEqual(victims([one(1), one(2, { idleForMs: 9_000 })]), ['app-2:sleep']);
});

test('nobody goes for somebody less important, nor anybody in use for an equal', (t) => {
  t.deepEqual(victims([one(1, { priority: 200 })]), ['nothing-less-important']);
  t.deepEqual(victims([one(1, { inFlight: 1 })]), ['nothing-less-important']);
});

test('a site in use keeps one instance, its clones go', (t) => {
  const busy = [1, 2, 3].map((n) => one(n, { app: 'blog', priority: 10, inFlight: 5, siblings: 3 }));
  t.deepEqual(victims(busy, { bytes: 200 }), ['blog:retire', 'blog:retire']);
  t.deepEqual(victims(busy, { bytes: 300 }), ['not-enough']);
});

test('min instances, other nodes and what may not sleep stay', (t) => {
  t.deepEqual(victims([one(1, { min: 1 }), one(2, { node: 'n2' }), one(3, { maySleep: false })]), ['nothing-less-important']);
});

test('a small one is spared when a bigger one had to go anyway', (t) => {
  t.deepEqual(victims([one(1, { priority: 1, memoryBytes: 10 }), one(2, { priority: 5 })]), ['app-2:sleep']);
});

const anyCandidate = fc.record({
  app: fc.constantFrom('a', 'b', 'c', 'shop'), node: fc.constantFrom('n1', 'n2'), priority: fc.nat(300), memoryBytes: fc.nat(300),
  inFlight: fc.nat(2), idleForMs: fc.nat(9_999), min: fc.nat(2), maySleep: fc.boolean(),
});

test('over random farms: enough is freed, none too many, and nobody is wronged', (t) => {
  fc.assert(fc.property(fc.array(anyCandidate, { maxLength: 15 }), fc.integer({ min: 1, max: 900 }), fc.nat(300), (parts, bytes, priority) => {
    const perApp = new Map(parts.map((part) => [part.app, part]));
    const list = parts.map((part, i) => one(i, { ...part, priority: perApp.get(part.app)!.priority, min: perApp.get(part.app)!.min, siblings: parts.filter((other) => other.app === part.app).length }));
    const decision = decidePreempt(need({ bytes, priority }), list);
    if (decision.kind === 'refuse') return;
    t.true(decision.victims.reduce((sum, victim) => sum + victim.memoryBytes, 0) >= bytes);
    t.is(new Set(decision.victims.map((victim) => victim.aid)).size, decision.victims.length);
    for (const victim of decision.victims) {
      const candidate = list.find((other) => other.aid === victim.aid)!;
      t.is(candidate.node, 'n1');
      t.not(candidate.app, 'shop');
      t.true(candidate.inFlight > 0 ? candidate.priority < priority : candidate.priority <= priority);
      const gone = decision.victims.filter((other) => other.app === victim.app).length;
      t.true(candidate.siblings - gone >= candidate.min);
      if (victim.how === 'sleep') t.true(candidate.inFlight === 0 && candidate.maySleep);
    }
  }));
});
