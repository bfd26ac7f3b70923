import { type Command, Option } from 'commander';
import type { Compression } from '../engine/engine.js';
import { bytesForPeople, phasesForPeople, print } from './print.js';
import { commonCommand, type CommonOptions, withEngine } from './with-engine.js';

export function addImageCommands(program: Command): void {
  commonCommand(program, 'snapshot <aid>', 'Save an instance as an image; it ends when the image is safe.')
    .option('--keep-running', 'let it run on')
    .addOption(new Option('--compress <how>', 'the memory in the image: less disk, slower wakes').choices(['none', 'zstd']).default('none'))
    .action(async (aid: string, options: CommonOptions & { readonly keepRunning?: true; readonly compress: Compression }) => {
      const taken = await withEngine(options, `saving ${aid}`, (engine) => engine.snapshot(aid, { keepRunning: options.keepRunning === true, compress: options.compress }));
      print({ aid, ...taken }, options, () =>
        `${aid} is saved: ${bytesForPeople(taken.bytes)}, stopped for ${taken.stoppedMs.toFixed(1)} ms (${phasesForPeople(taken.phases)})`);
    });

  commonCommand(program, 'rm <image>', 'Remove an image.')
    .action(async (image: string, options: CommonOptions) => {
      await withEngine(options, `removing ${image}`, (engine) => engine.removeImage(image));
      print({ image }, options, () => '');
    });
}
