import { mkdirSync, openSync, readdirSync, readSync, statfsSync, statSync, truncateSync, writeFileSync, writeSync, closeSync, rmSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '@appshot/runtime/testing';
import test from 'ava';
import { copyOfExample } from './support/app-file.js';
import { Farm } from './support/farm.js';
import { run } from './support/run-command.js';

const farm = new Farm();

// The engine's disk is a small one of its own, so that it can be full.
test.before(async () => {
  mkdirSync(farm.engineDir, { mode: 0o700 });
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=256m,mode=700', 'appshot-test', farm.engineDir]);
  if (mounted.status !== 0) throw new Error(mounted.stderr);
  await farm.up();
});
test.after.always(async () => {
  await farm.end();
  await run('umount', ['-l', farm.engineDir]);
  await farm.destroy();
});

const imageFile = (aid: string, name: string): string => path.join(farm.engineDir, 'images', aid, name);

/** Changes every 4,096th byte. */
function alter(file: string): void {
  const fd = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  for (let at = 2_000; at < statSync(file).size; at += 4_096) {
    readSync(fd, byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ 0x5a;
    writeSync(fd, byte, 0, 1, at);
  }
  closeSync(fd);
}

const damages: Record<string, (aid: string) => void> = {
  'whose pages are cut short': (aid) => truncateSync(imageFile(aid, 'pages.bin'), statSync(imageFile(aid, 'pages.bin')).size >> 1),
  'whose description is cut short': (aid) => truncateSync(imageFile(aid, 'image.bin'), statSync(imageFile(aid, 'image.bin')).size >> 1),
  'whose description was altered': (aid) => alter(imageFile(aid, 'image.bin')),
  'whose pages were altered': (aid) => alter(imageFile(aid, 'pages.bin')),
  'that is gone': (aid) => rmSync(path.dirname(imageFile(aid, 'image.bin')), { recursive: true }),
};

for (const [index, [what, damage]] of Object.entries(damages).entries()) {
  test.serial(`a site with an image ${what} starts anew for its visitor, and the reason is told`, async (t) => {
    const name = `damaged-${index}`;
    // No template is made before its first request, so nothing but a launch is left.
    await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name, lines: ['scale: { max: 1, idleMs: never }'] }));
    await farm.appshotJson('sleep', name);
    const { aid } = await farm.instanceOf(name);
    damage(aid);
    const reply = await farm.visit(`${name}.test`);
    t.is(reply.status, 200, reply.body);
    t.is((JSON.parse(reply.body) as { visits: number }).visits, 1);
    const [failed] = await waitUntil(async () => {
      const events = await farm.eventsOf(name, 'failed');
      return events.length > 0 && events;
    }, { what: 'the event that says why' });
    t.is(failed?.aid, aid);
    t.regex(String(failed?.because), /image|no such|not found/i);
    t.not((await waitUntil(() => farm.instanceOf(name), { what: 'only the new one to be left' })).aid, aid);
    t.is((await farm.appshot('remove', name)).status, 0);
  });
}

test.serial('a full disk while saving: the site runs on with its memory, and sleeps when there is room', async (t) => {
  const name = 'no-room';
  await farm.deploy(copyOfExample(farm.dir, 'node-counter', { name, lines: ['scale: { max: 1, idleMs: never }', 'template: { after: ready }'] }));
  await waitUntil(async () => (await farm.eventsOf(name, 'templated')).length > 0, { what: 'the template' });
  const count = async (): Promise<number> => (JSON.parse((await farm.visit(`${name}.test`)).body) as { visits: number }).visits;
  t.is(await count(), 1);
  const filler = path.join(farm.engineDir, 'filler');
  const { bavail, bsize } = statfsSync(farm.engineDir);
  writeFileSync(filler, Buffer.alloc(bavail * bsize - 500_000));
  const images = readdirSync(path.join(farm.engineDir, 'images'));
  for (let tries = 0; tries < 3; tries += 1) {
    const { status, stderr } = await farm.appshot('sleep', name, '--json');
    t.is(status, 1);
    t.is((JSON.parse(stderr) as { error: { code: string } }).error.code, 'disk-full', stderr);
    t.is(await count(), 2 + tries);
  }
  t.deepEqual(readdirSync(path.join(farm.engineDir, 'images')), images);
  rmSync(filler);
  await farm.appshotJson('sleep', name);
  t.is(await count(), 5);
});
