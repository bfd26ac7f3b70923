import { copyFile, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { testEngine, visit } from './support/test-engine.js';

test('an instance that is saved again writes what has changed, and wakes with all it had', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  let running = await launch('grown', 'node', { env: { BALLAST_MB: '30' } });
  t.regex(await visit(running), /^visit 1 .*ballast 30/);
  const whole = (await engine.snapshot('grown', { keepRunning: false })).bytes;
  t.true(whole > 30e6, `${whole}`);
  for (let round = 2; round <= 4; round += 1) {
    running = await engine.restore('grown');
    t.regex(await visit(running), new RegExp(`^visit ${round} .*ballast 30`));
    const { bytes } = await engine.snapshot('grown', { keepRunning: false });
    t.true(bytes < whole / 3, `${bytes} of ${whole}`);
    // The base is the first image's, however many there have been since; nobody else has it any more.
    const base = await stat(path.join(dir, 'images/grown/base.bin'));
    t.true(base.size > 30e6);
    await waitUntil(async () => (await engine.list()).images[0]!.bytes > base.size, { what: 'the base to count for the last image that has it' });
  }
  const kept = await engine.restore('grown');
  const template = await engine.snapshot('grown', { keepRunning: true, image: 'template' });
  t.true(template.bytes < whole / 3, `${template.bytes} of ${whole}`);
  t.regex(await visit(kept), /^visit 5 .*ballast 30/);
  const [clone] = await engine.clone('template', ['clone']);
  t.regex(await visit(clone!), /^visit 5 .*ballast 30/);
});

test('a clone that sleeps shares pages with its template, and keeps them when that is removed', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  await launch('origin', 'node', { env: { BALLAST_MB: '30' } });
  const template = await engine.snapshot('origin', { keepRunning: true, image: 'template' });
  await engine.stop('origin');
  const [clone] = await engine.clone('template', ['clone']);
  t.regex(await visit(clone!), /^visit 1 .*ballast 30/);
  const { bytes } = await engine.snapshot('clone', { keepRunning: false });
  t.true(bytes < template.bytes / 3, `${bytes} of ${template.bytes}`);
  const base = path.join(dir, 'images/clone/base.bin');
  t.is((await stat(base)).ino, (await stat(path.join(dir, 'images/template/pages.bin'))).ino);
  await engine.removeImage('template');
  t.regex(await visit(await engine.restore('clone')), /^visit 2 .*ballast 30/);
});

test('a base that is altered or missing is refused by name', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  await launch('shared', 'node');
  await engine.snapshot('shared', { keepRunning: true, image: 'first' });
  await engine.clone('first', ['second']);
  await engine.snapshot('second', { keepRunning: false });
  const base = path.join(dir, 'images/second/base.bin'), aside = path.join(dir, 'base.aside');
  await copyFile(base, aside);
  await rename(base, `${aside}.original`);
  await t.throwsAsync(engine.restore('second'), { code: 'image-invalid', message: /base\.bin \(the pages first saved with image 'first'\) is missing/ });
  await copyFile(aside, base);
  const file = await open(base, 'r+');
  await file.write(Buffer.from('altered'), 0, 7, 5000);
  await file.close();
  await t.throwsAsync(engine.restore('second'), { code: 'image-invalid', message: /base\.bin \(the pages first saved with image 'first'\): the checksum of chunk 0/ });
  await copyFile(aside, base);
  t.regex(await visit(await engine.restore('second')), /^visit 1/);
  await rm(aside);
  await rm(`${aside}.original`);
});

test('a compressed image is smaller, wakes with all it had, and the next one is whole again', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  const files = async (): Promise<string[]> => (await readdir(path.join(dir, 'images/packed'))).filter((name) => /^(pages|base)/.test(name)).sort();
  await launch('packed', 'node', { env: { BALLAST_MB: '30' } });
  const whole = await engine.snapshot('packed', { keepRunning: false });
  t.regex(await visit(await engine.restore('packed')), /^visit 1 .*ballast 30/);
  const packed = await engine.snapshot('packed', { keepRunning: false, compress: 'zstd' });
  t.true(packed.bytes < whole.bytes * 0.7, `${packed.bytes} of ${whole.bytes}`);
  t.deepEqual(await files(), ['pages.zst']);
  t.regex(await visit(await engine.restore('packed')), /^visit 2 .*ballast 30/);
  await engine.snapshot('packed', { keepRunning: false });
  t.deepEqual(await files(), ['pages.bin']);
  t.regex(await visit(await engine.restore('packed')), /^visit 3 .*ballast 30/);
});

test('an app that asks for compressed images sleeps in them', async (t) => {
  const { dir, engine, launch } = await testEngine(t);
  await launch('asks', 'c', { compress: 'zstd' });
  for (const visits of [1, 2]) {
    await engine.snapshot('asks', { keepRunning: false });
    t.true((await readdir(path.join(dir, 'images/asks'))).includes('pages.zst'));
    t.is(await visit(await engine.restore('asks')), `visit ${visits}`);
  }
});
