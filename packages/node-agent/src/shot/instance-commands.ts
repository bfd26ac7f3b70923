import type { Command } from 'commander';
import { cloneNames } from './clone-names.js';
import { numberBetween } from './number-between.js';
import { bytesForPeople, print, started, startedForPeople, table } from './print.js';
import { commonCommand, type CommonOptions, withEngine } from './with-engine.js';

export function addInstanceCommands(program: Command): void {
  commonCommand(program, 'restore <aid>', 'Bring a sleeping instance back.')
    .action(async (aid: string, options: CommonOptions) => {
      const running = await withEngine(options, `restoring ${aid}`, (engine) => engine.restore(aid));
      print(started(running), options, () => startedForPeople(running));
    });

  commonCommand(program, 'clone <name>', 'Make clones of an image; of a running instance, an image is made first. They are called NAME-1, NAME-2, …')
    .option('--count <n>', 'how many', numberBetween(1, 10_000), 1)
    .action(async (name: string, options: CommonOptions & { readonly count: number }) => {
      const clones = await withEngine(options, `cloning ${name}`, async (engine) => {
        const { running, images } = await engine.list();
        if (!images.some(({ id }) => id === name)) await engine.snapshot(name, { keepRunning: true });
        const taken = new Set([...running.map(({ aid }) => aid), ...images.map(({ id }) => id)]);
        return engine.clone(name, cloneNames(name, options.count, taken));
      });
      print(clones.map(started), options, () => clones.map(startedForPeople).join('\n'));
    });

  commonCommand(program, 'stop <aid>', 'End an instance; its image, if it has one, stays.')
    .action(async (aid: string, options: CommonOptions) => {
      const { exited } = await withEngine(options, `stopping ${aid}`, (engine) => engine.stop(aid));
      print({ aid, exited }, options, () => (exited ? `${aid} has ended` : `${aid} is asleep: its image stays (shot rm ${aid} removes it)`));
    });

  commonCommand(program, 'list', 'Running instances and images.')
    .action(async (options: CommonOptions) => {
      const { running, images } = await withEngine(options, '', (engine) => engine.list());
      print({ running, images }, options, () => [
        table(['aid', 'state', 'address', 'pids', 'memory'], running.map(({ aid, state, ip, port, pids, memoryBytes }) =>
          [aid, state, port === 0 ? ip : `${ip}:${port}`, pids, bytesForPeople(memoryBytes)])),
        table(['image', 'size'], images.map(({ id, bytes }) => [id, bytesForPeople(bytes)])),
      ].join('\n\n'));
    });
}
