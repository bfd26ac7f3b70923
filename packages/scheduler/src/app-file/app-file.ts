import { AppSpec } from '@appshot/protocol';
import { z } from 'zod';

/** An app file as a user writes it: an AppSpec whose `cwd` is relative to the file and may be left out. */
export const AppFile = AppSpec.extend({
  /** Relative to the app file. */
  cwd: z.string().min(1).default('.'),
});
export type AppFile = z.infer<typeof AppFile>;
