import type { AppRecord, AppSpec, AppVersion, InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';

/** One of an app's versions that the registry still has: the current one, the one on trial, or the one before. */
export function versionOf(app: AppRecord, version: number): AppVersion | undefined {
  return [app, app.trial, app.previous].find((one) => one?.version === version) ?? undefined;
}

/** What an instance was deployed as: its own version's specification where the registry has it still. @throws FarmError `not-found` (no such app) */
export async function specOf(farm: Farm, record: InstanceRecord): Promise<AppSpec> {
  const known = farm.view.of(record.app).record;
  const app = known !== null && versionOf(known, record.version) !== undefined ? known : (await farm.registry.apps.get(record.app));
  if (app === undefined) throw new FarmError('not-found', `there is no app "${record.app}"`);
  return (versionOf(app, record.version) ?? app).spec;
}
