import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { FarmError } from '@appshot/runtime';
import { InvalidArgumentError, type Command } from 'commander';
import type { ApiClient } from '../api/api-client.js';
import { AppRecord } from '../api/api-schemas.js';
import { withProgress } from '../output/progress.js';
import { apiCommand, contextOf, type ApiOptions } from './api-command.js';

/** Where its visitors find it: by host names, and at ports of the farm. */
const placesOf = ({ hosts, expose }: AppRecord['spec']): string => [...hosts, ...expose.map(({ farmPort }) => `port ${farmPort}`)].join(', ');

const said = ({ spec, version, trial }: AppRecord): string => `${spec.name}: version ${version} is deployed, at ${placesOf(spec)}`
  + (trial === null ? '' : `; version ${trial.version} is on trial and gets ${trial.percent} % of the requests`);

const percentOf = (least: number, most: number) => (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
  return value;
};

/** deploy, rollout, rollback, remove. */
export function addAppCommands(program: Command): void {
  apiCommand(program, 'deploy <file>', 'deploy an app from its app file; returns when it is ready')
    .option('--percent <n>', 'give the new version this share of the requests, 1 to 99, beside the old one', percentOf(1, 99))
    .action(async (file: string, options: ApiOptions & { percent?: number }) => {
      const { api, json, print } = contextOf(options);
      const record = await withProgress(`deploying ${file}`, () => deployFile(api, file, { replace: true, percent: options.percent }), { quiet: json });
      print(record, said(record));
    });
  apiCommand(program, 'rollout <app>', 'change the share of the requests that the version on trial gets')
    .requiredOption('--percent <n>', '100 makes it the current version, 0 ends its trial', percentOf(0, 100))
    .action(async (app: string, options: ApiOptions & { percent: number }) => {
      const { api, json, print } = contextOf(options);
      const record = await withProgress(`shifting ${app}`, () => api.post('/rollout', { app, percent: options.percent }, AppRecord), { quiet: json });
      print(record, said(record));
    });
  apiCommand(program, 'rollback <app>', 'go back to the version before, or end the trial of a new one; returns when it serves')
    .action(async (app: string, options: ApiOptions) => {
      const { api, json, print } = contextOf(options);
      const record = await withProgress(`rolling ${app} back`, () => api.post('/rollback', { app }, AppRecord), { quiet: json });
      print(record, said(record));
    });
  apiCommand(program, 'remove <app>', 'stop an app and forget it, with its images')
    .action(async (app: string, options: ApiOptions) => {
      const { api, json, print } = contextOf(options);
      await withProgress(`removing ${app}`, () => api.delete(`/apps/${encodeURIComponent(app)}`), { quiet: json });
      print({ app }, `${app}: removed`);
    });
}

/**
 * With `replace: false` an app that is deployed just so already is left as it is, asleep or awake; else it starts anew.
 * @throws FarmError `bad-request` when the file cannot be read, or what the control API says of it.
 */
export async function deployFile(api: ApiClient, file: string, { replace, percent }: { replace: boolean; percent?: number | undefined }): Promise<AppRecord> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new FarmError('bad-request', `${file} cannot be read: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  });
  return api.post('/apps', { text, baseDir: path.dirname(path.resolve(file)), replace, ...(percent !== undefined && { percent }) }, AppRecord);
}
