import { proc } from '@appshot/runtime';
import { waitUntil } from '@appshot/runtime/testing';
import test, { type ExecutionContext } from 'ava';
import type { KeeperEngine } from '../../src/engine/keeper-engine.js';
import { Failpoints } from './support/failpoints.js';
import { awaitHoldings, descriptorsOf, holdingsAtRest } from './support/holdings.js';
import { testEngine, visit } from './support/test-engine.js';

// Read by the keepers that this file starts.
process.env['APPSHOT_FAILPOINTS'] = '1';

/** A program that counts its visits, put through everything once: then the names of all steps are known. */
async function knownSite(t: ExecutionContext) {
  const { dir, engine, launch } = await testEngine(t);
  const failpoints = new Failpoints(dir);
  t.teardown(() => failpoints.close());
  await launch('site', 'c', { clone: { hook: '/' } });
  await engine.snapshot('site', { keepRunning: true, image: 'template' });
  await engine.clone('template', ['copy']);
  await engine.stop('copy');
  await engine.snapshot('site', { keepRunning: true, image: 'small', compress: 'zstd' });
  await engine.removeImage('small');
  for (let round = 0; round < 2; round += 1) {
    await engine.snapshot('site', { keepRunning: false });
    await engine.restore('site');
  }
  return { dir, engine, failpoints, site: new CountingSite(engine), steps: await failpoints.reached() };
}

/** Looks whether the program is what it was, running or asleep. */
class CountingSite {
  #visits = 0;
  constructor(readonly engine: KeeperEngine) {}

  /** It runs, or its image is whole and wakes; either way it has counted every visit. */
  async check(t: ExecutionContext, after: string): Promise<void> {
    this.#visits += 1;
    const said = await this.#visit().catch(async () => {
      // What failed when it ran already has ended it: then it sleeps again, as it was.
      await waitUntil(async () => await this.#row() === undefined, { what: `what fails to end it (${after})` });
      return this.#visit();
    });
    t.is(said, `visit ${this.#visits}`, after);
  }

  async #visit(): Promise<string> {
    const row = await this.#row();
    return visit({ address: row === undefined ? (await this.engine.restore('site')).address : `${row.ip}:3000` });
  }

  async wake(): Promise<void> {
    if (await this.#row() === undefined) await this.engine.restore('site');
  }

  async sleep(): Promise<void> {
    if (await this.#row() !== undefined) await this.engine.snapshot('site', { keepRunning: false });
  }

  async #row() {
    return (await this.engine.list()).running.find(({ aid }) => aid === 'site');
  }
}

/** Asleep, and without a zygote: whatever is kept ready then is kept in the same way each time. */
async function restingAt({ dir, engine, failpoints, site }: Awaited<ReturnType<typeof knownSite>>) {
  const keeper = await failpoints.keeperPid();
  // Takes the berth that was made in advance when the template was new, if that came too late for the clone before.
  await engine.clone('template', ['first']);
  await engine.stop('first');
  const settle = async (): Promise<void> => {
    await engine.warm('template', false);
    await site.sleep();
  };
  await settle();
  const before = await holdingsAtRest(dir, keeper);
  return { awaitSame: async () => { await settle(); await awaitHoldings(dir, keeper, before); } };
}

/** True when it failed. */
const fails = (work: Promise<unknown>): Promise<boolean> => work.then(() => false, () => true);

test('whatever step of a snapshot fails, the program runs on or its image is whole, and nothing is left over', async (t) => {
  const known = await knownSite(t);
  const { engine, failpoints, site, steps } = known;
  const of = steps.filter((step) => step.startsWith('snapshot: '));
  t.true(of.length >= 10, of.join());
  const rest = await restingAt(known);
  await site.wake();
  for (const step of of) {
    const compress = step === 'snapshot: compress' ? 'zstd' : 'none';
    await failpoints.arm(step, 'error');
    t.true(await fails(engine.snapshot('site', { keepRunning: false, compress })), step);
    await site.check(t, `${step}, to end`);
    await failpoints.arm(step, 'error');
    await fails(engine.snapshot('site', { keepRunning: true, image: 'other', compress }));
    await failpoints.disarm();
    await site.check(t, `${step}, running on`);
    if ((await engine.list()).images.some(({ id }) => id === 'other')) await engine.removeImage('other');
  }
  await rest.awaitSame();
});

test('whatever step of a restore fails, the image stays whole and wakes, and nothing is left over', async (t) => {
  const known = await knownSite(t);
  const { engine, failpoints, site, steps } = known;
  const of = steps.filter((step) => /^(restore|tape): /.test(step));
  t.true(of.length >= 30, of.join());
  const rest = await restingAt(known);
  await site.wake();
  let failed = 0;
  for (const step of of) {
    // Before it sleeps: how it is woken is worked out ahead.
    await failpoints.arm(step, 'error');
    await site.sleep();
    if (await fails(engine.restore('site'))) failed += 1;
    await failpoints.disarm();
    await site.check(t, step);
  }
  // Steps of clones alone are among them; all others fail.
  t.true(failed >= of.length / 2, `${failed} of ${of.length}`);
  await rest.awaitSame();
});

test('whatever step of a clone fails, the next one succeeds, and nothing is left over', async (t) => {
  const known = await knownSite(t);
  const { engine, failpoints, steps } = known;
  const of = steps.filter((step) => /^(clone|ahead|tape): /.test(step));
  t.true(of.length >= 4, of.join());
  const rest = await restingAt(known);
  for (const step of of) {
    await failpoints.arm(step, 'error');
    // What a zygote was told to do it does for every clone: the next one is for the next zygote.
    await fails(engine.clone('template', ['copy']));
    await engine.warm('template', false);
    await failpoints.disarm();
    if (!(await engine.list()).running.some(({ aid }) => aid === 'copy')) await engine.clone('template', ['copy']);
    const row = (await engine.list()).running.find(({ aid }) => aid === 'copy');
    // The first was its hook.
    t.is(await visit({ address: `${row?.ip}:3000` }), 'visit 2', step);
    await engine.stop('copy');
    await engine.warm('template', false);
  }
  await rest.awaitSame();
});

test('a keeper that is killed at any step of a snapshot, a restore or a clone costs nobody anything', async (t) => {
  const { engine, failpoints, site, steps } = await knownSite(t);
  const of = steps.filter((step) => /^(snapshot|restore|clone): /.test(step));
  for (const step of of) {
    await failpoints.arm(step, 'kill');
    if (step.startsWith('restore')) await site.sleep();
    const work = step.startsWith('snapshot') ? engine.snapshot('site', { keepRunning: false, compress: step === 'snapshot: compress' ? 'zstd' : 'none' })
      : step.startsWith('restore') ? engine.restore('site') : engine.clone('template', ['copy']);
    await fails(work);
    // The next keeper adopts what runs.
    await waitUntil(() => engine.list().then(() => true, () => false), { what: 'the next keeper' });
    await failpoints.disarm();
    await site.check(t, step);
    if ((await engine.list()).running.some(({ aid }) => aid === 'copy')) await engine.stop('copy');
  }
});

test('a program that is slower than those who fill its memory still has all of it', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  const failpoints = new Failpoints(dir);
  t.teardown(() => failpoints.close());
  await launch('slow', 'node');
  const address = async (): Promise<string> => `${(await engine.list()).running[0]?.ip}:3000`;
  const step = 'tape: copy the working set';
  let visits = 0;
  const count = async (): Promise<void> => { t.regex(await visit({ address: await address() }), new RegExp(`^visit ${visits += 1}\\b`)); };
  // The program itself copies what first requests touched before. Nothing is learnt of a wake that was filled before it ran.
  for (let round = 0; round < 20 && !(await failpoints.reached()).includes(step); round += 1) {
    await count();
    await failpoints.arm(step, 'pause');
    await engine.snapshot('slow', { keepRunning: false });
    await engine.restore('slow');
  }
  t.true((await failpoints.reached()).includes(step));
  await count();
});

/** A program with so much memory that it wakes before it is there, asleep; and who would fill it. */
async function largeSleeper(t: ExecutionContext) {
  const { dir, engine, launch } = await testEngine(t);
  const failpoints = new Failpoints(dir);
  t.teardown(() => failpoints.close());
  t.regex(await visit(await launch('large', 'node', { env: { BALLAST_MB: '30' } })), /^visit 1\b/);
  await engine.snapshot('large', { keepRunning: false });
  const keeper = await failpoints.keeperPid();
  const filler = await waitUntil(() => proc.descendants(keeper).find((pid) => proc.name(pid) === 'appshot-filler'), { what: 'the keeper to have a filler' });
  const runs = async (): Promise<boolean> => (await engine.list()).running.some(({ aid }) => aid === 'large');
  return { engine, failpoints, keeper, filler, runs };
}

test('a program whose memory nobody will bring ends rather than reading zeros, also without a keeper', async (t) => {
  const { engine, keeper, filler, runs } = await largeSleeper(t);
  process.kill(filler, 'SIGSTOP');
  const answered = visit(await engine.restore('large')).catch(() => 'none');
  process.kill(keeper, 'SIGKILL');
  process.kill(filler, 'SIGKILL');
  t.is(await answered, 'none');
  await waitUntil(async () => !(await runs().catch(() => true)), { what: 'the next keeper to see that it ended' });
  t.regex(await visit(await engine.restore('large')), /^visit 2\b.*ballast 30/);
});

test('a keeper that adopted a program saves it when all its memory is there', async (t) => {
  const { engine, keeper, filler, runs } = await largeSleeper(t);
  process.kill(filler, 'SIGSTOP');
  await engine.restore('large');
  process.kill(keeper, 'SIGKILL');
  await waitUntil(() => runs().catch(() => false), { what: 'the next keeper' });
  let isSaved = false;
  const saved = engine.snapshot('large', { keepRunning: false }).then(() => { isSaved = true; });
  await engine.list();
  t.false(isSaved);
  process.kill(filler, 'SIGCONT');
  await saved;
  t.regex(await visit(await engine.restore('large')), /^visit 2\b.*ballast 30/);
});

test('a keeper that starts works out how those that sleep wake', async (t) => {
  const { engine, failpoints, keeper } = await largeSleeper(t);
  process.kill(keeper, 'SIGKILL');
  await waitUntil(() => engine.list().then(() => true, () => false), { what: 'the next keeper' });
  const next = await failpoints.keeperPid();
  t.not(next, keeper);
  await waitUntil(() => descriptorsOf(next).some((name) => name.includes('appshot-restore')), { what: 'the tape of its wake' });
  t.regex(await visit(await engine.restore('large')), /^visit 2\b/);
});
