import test from 'ava';
import { ask, cloneFarm } from './clone-farm.js';

interface Ticks { readonly ticks: readonly string[]; readonly clock: number }

test('a clone that was made in advance does nothing before it is somebody, and its clock has never stood before the template\'s', async (t) => {
  const { engine, launch } = await cloneFarm(t);
  const parent = await launch('parent', ['/usr/bin/python3', 'ticker.py']);
  const before = await ask<Ticks>(parent);
  await engine.snapshot('parent', { keepRunning: true, image: 'template', template: true });
  await engine.warm('template', true);
  const ticksUntil = async (count: number): Promise<Ticks> => {
    for (;;) {
      const now = await ask<Ticks>(parent);
      if (now.ticks.length >= count) return now;
    }
  };
  // Meanwhile the parent's thread ticks, and those of the clones that wait do not.
  await ticksUntil((await ask<Ticks>(parent)).ticks.length + 30);
  const clones = await engine.clone('template', ['a', 'b', 'c']);
  const told = await Promise.all(clones.map((clone) => ask<Ticks>(clone)));
  const inherited = told.map(({ ticks }, index) => ticks.filter((aid) => aid !== clones[index]?.aid));
  // Two of them had waited, and one was made at once.
  t.deepEqual(inherited[0], inherited[2]);
  t.deepEqual(inherited[1], inherited[2]);
  t.true(inherited.flat().every((aid) => aid === 'parent'));
  t.true(told.every(({ clock }) => clock >= before.clock));
});
