import { AppName, AppRecord, type AppSpec } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import { z } from 'zod';
import { parseAppFile, type ParsedAppFile } from '../app-file/parse-app-file.js';
import { pathText } from '../app-file/problem.js';
import type { Farm } from '../farm.js';
import { deployApp, whileDeploying } from '../ops/deploy-app.js';
import { removeApp } from '../ops/remove-app.js';
import { rollBack } from '../ops/roll-back.js';
import { shiftTraffic } from '../ops/shift-traffic.js';
import { apiRoute, type ApiRoute } from './api-route.js';

const Deploy = z.object({
  /** The app file, YAML. */
  text: z.string().max(1_000_000),
  /** The folder in which it lies, absolute; its `cwd` is relative to it. */
  baseDir: z.string().startsWith('/'),
  /** False: an app that is deployed just so already is left alone. Otherwise it gets a new version: its files may have changed. */
  replace: z.boolean().default(true),
  /** Gives the new version only this share of the requests, beside the old one; of no use to a first deploy. */
  percent: z.number().int().min(1).max(99).nullable().default(null),
});

const Share = z.object({ app: AppName, percent: z.number().int().min(0).max(100) });

/** Deploying and removing. */
export function appRoutes(farm: Farm): ApiRoute[] {
  return [
    apiRoute({
      method: 'POST', path: '/apps', summary: 'Deploys an app from its app file; answers when it is ready.', body: Deploy, answers: AppRecord,
      handle: async ({ body }) => {
        const parsed = parseAppFile(body.text, body.baseDir);
        try {
          return await deployApp(farm, parsed.spec, { keepSame: !body.replace, percent: body.percent });
        } catch (error) {
          throw withLine(FarmError.from(error), parsed);
        }
      },
    }),
    apiRoute({
      method: 'POST', path: '/rollout', summary: 'Changes the share of the requests that the version on trial gets: 100 makes it the current one, 0 ends it.', body: Share, answers: AppRecord,
      handle: ({ body }) => whileDeploying(farm, body.app, () => shiftTraffic(farm, body.app, body.percent)),
    }),
    apiRoute({
      method: 'POST', path: '/rollback', summary: 'Goes back to the version before, from its own template; a version on trial ends.', body: z.object({ app: AppName }), answers: AppRecord,
      handle: ({ body }) => whileDeploying(farm, body.app, () => rollBack(farm, body.app)),
    }),
    apiRoute({ method: 'GET', path: '/apps', summary: 'Every app.', answers: z.array(AppRecord), handle: async () => farm.registry.apps.list() }),
    apiRoute({
      method: 'DELETE', path: '/apps/:app', summary: 'Stops an app and forgets it, with its images.', params: z.object({ app: AppName }), answers: z.object({ app: AppName }),
      handle: async ({ params }) => {
        await removeApp(farm, params.app);
        return { app: params.app };
      },
    }),
  ];
}

/** What only the farm can see wrong with an app file is shown at its line too. */
function withLine(error: FarmError, { spec, lineOf }: ParsedAppFile): FarmError {
  const at = placeOf(error, spec);
  if (at === null) return error;
  const problem = { line: lineOf(at.path), path: pathText(at.path), problem: error.message, allowed: at.allowed };
  return new FarmError(error.code, `line ${problem.line}: ${error.message}`, { facts: { ...error.facts, problems: [problem] }, cause: error });
}

function placeOf({ code, facts }: FarmError, spec: AppSpec): { path: PropertyKey[]; allowed: string } | null {
  if (code === 'host-taken') return { path: ['hosts', spec.hosts.indexOf(String(facts?.['host']))], allowed: 'host names of no other app' };
  const index = spec.expose.findIndex(({ farmPort }) => farmPort !== undefined && farmPort === facts?.['farmPort']);
  return code === 'port-in-use' && index >= 0 ? { path: ['expose', index, 'farmPort'], allowed: 'a farm port of no other app, or none' } : null;
}
