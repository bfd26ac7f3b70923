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
    .option('--parked', 'frozen before they serve anybody, for unpark to let them')
    .action(async (name: string, options: CommonOptions & { readonly count: number; readonly parked?: true }) => {
      const clones = await withEngine(options, `cloning ${name}`, async (engine) => {
        const { running, images } = await engine.list();
        if (!images.some(({ id }) => id === name)) await engine.snapshot(name, { keepRunning: true, template: true });
        const taken = new Set([...running.map(({ aid }) => aid), ...images.map(({ id }) => id)]);
        return engine.clone(name, cloneNames(name, options.count, taken), { parked: options.parked === true });
      });
      print(clones.map(started), options, () => clones.map(startedForPeople).join('\n'));
    });

  commonCommand(program, 'park <aid>', 'Freeze a running instance: it keeps its memory, uses no CPU, and serves as soon as it is unparked.')
    .action(async (aid: string, options: CommonOptions) => {
      await withEngine(options, `parking ${aid}`, (engine) => engine.park(aid));
      print({ aid }, options, () => `${aid} is parked`);
    });

  commonCommand(program, 'unpark <aid>', 'Let a parked instance run again.')
    .action(async (aid: string, options: CommonOptions) => {
      const running = await withEngine(options, `unparking ${aid}`, (engine) => engine.unpark(aid));
      print(started(running), options, () => startedForPeople(running));
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
