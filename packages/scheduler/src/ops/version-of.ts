import type { AppRecord, AppVersion } from '@appshot/protocol';

/** One of an app's versions that the registry still has: the current one, the one on trial, or the one before. */
export function versionOf(app: AppRecord, version: number): AppVersion | undefined {
  return [app, app.trial, app.previous].find((one) => one?.version === version) ?? undefined;
}
