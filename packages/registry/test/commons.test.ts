import { AppSpec } from '@appshot/protocol';
import test from 'ava';
import { Commons } from '../src/commons.js';
import { SpecReader } from '../src/spec-reader.js';

const specOf = (name: string, more: object = {}) => AppSpec.parse({ name, hosts: [`${name}.localhost`], command: ['./server'], cwd: '/srv', port: 3000, ...more });

test('what equal values have in common is kept once, and they say what they said', (t) => {
  const commons = new Commons();
  const [one, other] = [commons.share(specOf('one')), commons.share(specOf('other', { scale: { max: 3 } }))];
  t.deepEqual(one, specOf('one'));
  t.deepEqual(other, specOf('other', { scale: { max: 3 } }));
  t.is(one.resources, other.resources);
  t.is(one.command, other.command);
  t.not(one.hosts, other.hosts);
  t.not(one.scale, other.scale);
});

test('a specification is checked again only when its text has changed, or many others were read since', (t) => {
  const specs = new SpecReader();
  const json = JSON.stringify(specOf('one'));
  const first = specs.read('one', json);
  t.is(specs.read('one', json), first);
  t.deepEqual(specs.read('one', JSON.stringify(specOf('one', { port: 4000 }))), specOf('one', { port: 4000 }));
  const again = specs.read('one', json);
  for (let other = 0; other < 100; other += 1) specs.read(`other-${other}`, JSON.stringify(specOf(`other-${other}`)));
  t.not(specs.read('one', json), again);
  t.deepEqual(specs.read('one', json), first);
});
