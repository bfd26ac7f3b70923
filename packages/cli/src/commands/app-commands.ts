import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { FarmError } from '@appshot/runtime';
import type { Command } from 'commander';
import type { ApiClient } from '../api/api-client.js';
import { AppRecord } from '../api/api-schemas.js';
import { withProgress } from '../output/progress.js';
import { apiCommand, contextOf, type ApiOptions } from './api-command.js';

/** deploy, remove. */
export function addAppCommands(program: Command): void {
  apiCommand(program, 'deploy <file>', 'deploy an app from its app file; returns when it is ready')
    .action(async (file: string, options: ApiOptions) => {
      const { api, json, print } = contextOf(options);
      const record = await withProgress(`deploying ${file}`, () => deployFile(api, file, { replace: true }), { quiet: json });
      print(record, `${record.spec.name}: version ${record.version} is deployed, at ${record.spec.hosts.join(', ')}`);
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
export async function deployFile(api: ApiClient, file: string, { replace }: { replace: boolean }): Promise<AppRecord> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new FarmError('bad-request', `${file} cannot be read: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  });
  return api.post('/apps', { text, baseDir: path.dirname(path.resolve(file)), replace }, AppRecord);
}
