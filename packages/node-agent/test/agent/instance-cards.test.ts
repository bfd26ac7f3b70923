import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FarmError } from '@appshot/runtime';
import test from 'ava';
import { InstanceCards } from '../../src/agent/instance-cards.js';

const aid = 'a0000000000001';

function freshDir(t: { teardown(work: () => void): void }): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'appshot-cards-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return path.join(dir, 'cards');
}

function loaded(dir: string, now = Date.now()): InstanceCards {
  const cards = new InstanceCards(dir);
  cards.load(now);
  return cards;
}

const codeOf = (work: () => void): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    return FarmError.from(error).code;
  }
};

test('an operation of an older epoch is refused, also by an agent that was started meanwhile', (t) => {
  const dir = freshDir(t);
  const cards = loaded(dir);
  cards.admit(aid, 3, { app: 'shop', port: 3000 });
  t.is(codeOf(() => cards.admit(aid, 2)), 'stale-epoch');
  const later = loaded(dir);
  t.is(codeOf(() => later.admit(aid, 2)), 'stale-epoch');
  t.is(codeOf(() => later.admit(aid, 3)), 'none');
  later.admit(aid, 4);
  t.deepEqual(loaded(dir).get(aid), { aid, app: 'shop', epoch: 4, port: 3000, goneAt: null });
});

test('an instance that was stopped for good does not start again, and is forgotten an hour later', (t) => {
  const dir = freshDir(t);
  const cards = loaded(dir);
  cards.admit(aid, 1, { app: 'shop', port: 3000 });
  cards.markGone(aid, 1_000);
  t.is(codeOf(() => cards.admit(aid, 2, { app: 'shop' })), 'illegal-transition');
  t.is(loaded(dir, 2_000).get(aid)?.goneAt, 1_000);
  t.is(loaded(dir, 1_000 + 3_600_001).get(aid), undefined);
});

test('files that are no cards are passed over, and only root may read the others', (t) => {
  const dir = freshDir(t);
  const cards = loaded(dir);
  cards.admit(aid, 1, { app: 'shop', port: 3000 });
  writeFileSync(path.join(dir, 'a0000000000002.json'), '{"aid":');
  t.is(loaded(dir).epochOf('a0000000000002'), 0);
  t.is(statSync(path.join(dir, `${aid}.json`)).mode & 0o777, 0o600);
  t.is(statSync(dir).mode & 0o777, 0o700);
});
