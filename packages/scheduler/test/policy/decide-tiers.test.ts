import fc from 'fast-check';
import test from 'ava';
import { decideTiers, rememberGrowth, tierTuning, type TierMemory, type TierSite } from '../../src/policy/decide-tiers.js';

const now = 10_000_000;
const mb = 1e6;
const plenty: TierMemory = { roomBytes: 6_000 * mb, totalBytes: 8_000 * mb, pressure: 0 };
const site = (app: string, part: Partial<TierSite> = {}): TierSite =>
  ({ app, priority: 100, awake: 1, max: 20, templateBytes: 50 * mb, cloneBytes: 10 * mb, growth: [], zygote: false, parked: 0, ...part });
const grew = (count: number, ago = 1_000): TierSite['growth'] => [{ at: now - ago, count }];
const of = (sites: readonly TierSite[], memory = plenty): Record<string, { zygote: boolean; parked: number; because: string }> =>
  Object.fromEntries(decideTiers(sites, memory, now).map(({ app, ...rest }) => [app, rest]));

test('who sleeps is an image only; who is awake has its zygote; who grew lately has clones parked', (t) => {
  t.deepEqual(of([site('asleep', { awake: 0, growth: grew(3) }), site('awake'), site('grew', { growth: grew(3) }), site('single', { max: 1 }), site('new', { templateBytes: null })]), {
    asleep: { zygote: false, parked: 0, because: 'asleep' },
    awake: { zygote: true, parked: 0, because: 'awake' },
    grew: { zygote: true, parked: 3, because: 'grew-lately' },
    single: { zygote: false, parked: 0, because: 'cannot-be-cloned' },
    new: { zygote: false, parked: 0, because: 'cannot-be-cloned' },
  });
});

test('as many are parked as the largest burst asked for, within the limits, and not for ever', (t) => {
  t.is(of([site('a', { growth: [{ at: now - 50_000, count: 1 }, { at: now - 30_000, count: 2 }, { at: now - 25_000, count: 1 }] })])['a']!.parked, 3);
  t.is(of([site('a', { growth: grew(12) })])['a']!.parked, tierTuning.parkedAtMost);
  t.is(of([site('a', { growth: grew(4), awake: 18 })])['a']!.parked, 2);
  t.is(of([site('a', { growth: grew(4, tierTuning.rememberMs) })])['a']!.parked, 0);
});

test('when memory is short the more important app comes first, then the one that grew last; zygotes before parked clones', (t) => {
  const short: TierMemory = { roomBytes: 800 * mb + 125 * mb, totalBytes: 8_000 * mb, pressure: null };
  const sites = [site('low', { priority: 1, growth: grew(4, 10) }), site('old', { growth: grew(4, 5_000) }), site('young', { growth: grew(4, 2_000) })];
  t.deepEqual(of(sites, short), {
    young: { zygote: true, parked: 2, because: 'no-room' },
    old: { zygote: true, parked: 0, because: 'no-room' },
    low: { zygote: false, parked: 0, because: 'no-room' },
  });
});

test('what stands ready counts as room, so that it is not given up for itself; under pressure it is given up', (t) => {
  const full: TierMemory = { roomBytes: 800 * mb, totalBytes: 8_000 * mb, pressure: 0 };
  const sites = [site('a', { growth: grew(2), zygote: true, parked: 2 })];
  t.deepEqual(of(sites, full)['a'], { zygote: true, parked: 2, because: 'grew-lately' });
  t.deepEqual(of(sites, { ...full, pressure: 40 })['a'], { zygote: false, parked: 0, because: 'memory-pressure' });
});

test('growth is remembered for a while, and nothing is no growth', (t) => {
  t.deepEqual(rememberGrowth([{ at: 0, count: 2 }], { at: tierTuning.rememberMs, count: 1 }), [{ at: tierTuning.rememberMs, count: 1 }]);
  t.deepEqual(rememberGrowth([], { at: 5, count: 0 }), []);
});

test('whatever the sites, what is kept fits, and doing it changes no decision', (t) => {
  const anySite = fc.record({
    priority: fc.nat(3), awake: fc.nat(4), max: fc.integer({ min: 1, max: 6 }), templateBytes: fc.option(fc.nat(100).map((n) => n * mb), { nil: null }),
    cloneBytes: fc.integer({ min: 1, max: 50 }).map((n) => n * mb), growth: fc.array(fc.record({ at: fc.integer({ min: now - 700_000, max: now }), count: fc.integer({ min: 1, max: 6 }) }), { maxLength: 3 }),
  });
  fc.assert(fc.property(fc.array(anySite, { maxLength: 8 }), fc.integer({ min: -100, max: 1_500 }), (parts, room) => {
    const sites = parts.map((part, index) => site(`s${index}`, part));
    const memory = { roomBytes: room * mb, totalBytes: 8_000 * mb, pressure: 0 };
    const decisions = of(sites, memory);
    const bytes = sites.reduce((sum, one) => sum + (decisions[one.app]!.zygote ? one.templateBytes! : 0) + decisions[one.app]!.parked * one.cloneBytes, 0);
    const after = sites.map((one) => ({ ...one, zygote: decisions[one.app]!.zygote, parked: decisions[one.app]!.parked }));
    t.true(bytes <= Math.max(0, memory.roomBytes - 800 * mb));
    t.deepEqual(of(after, { ...memory, roomBytes: memory.roomBytes - bytes }), decisions);
  }), { numRuns: 200 });
});
