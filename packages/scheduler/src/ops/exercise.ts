import { Agent, request } from 'node:http';
import type { AppSpec, Endpoint, InstanceRecord } from '@appshot/protocol';
import type { Farm } from '../farm.js';

/** The paths that an app is exercised with: those of its app file, or the one that has to answer for it to be ready. */
const pathsOf = ({ template, ready }: AppSpec): readonly string[] => template.exercise ?? (ready.http === undefined ? [] : [ready.http]);

/**
 * Asks a program the same few paths over and over, one request after the other, so that what it compiles by being used is compiled
 * when its template is made of it (ADR 0190). It ends after `exerciseRequests`, after `exerciseForMs`, or with the first request that
 * fails: it is a favour, and nobody waits for it who cannot do without. No connection of it is left open.
 */
export function exercise(farm: Farm, spec: AppSpec, record: InstanceRecord): Promise<void> {
  return farm.underway.join(`exercise:${record.aid}`, async () => {
    const paths = pathsOf(spec);
    const { endpoint } = record;
    const { exerciseRequests, exerciseForMs } = farm.config;
    if (endpoint === undefined || paths.length === 0 || exerciseRequests === 0) return;
    const begunAt = performance.now();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let requests = 0;
    const askNext = async (closes: boolean): Promise<void> => {
      await ask({ agent, endpoint, host: spec.hosts[0] ?? spec.name, path: paths[requests % paths.length] ?? '/', withinMs: exerciseForMs, closes });
      requests += 1;
    };
    try {
      // Two over each connection: a clone's first visitor comes over a new one, and the next over one that is open.
      while (requests + 1 < exerciseRequests && performance.now() - begunAt < exerciseForMs) {
        await askNext(false);
        await askNext(true);
      }
    } catch (err) {
      farm.logger.debug({ err, aid: record.aid, app: spec.name, requests }, 'an instance is not exercised any further');
    } finally {
      agent.destroy();
    }
    const took = performance.now() - begunAt;
    farm.events.ofInstance(record, { type: 'exercised', because: 'what it compiles by being used, its clones are to have', phases: { exercise: took }, facts: { requests } });
  });
}

interface Question { readonly agent: Agent; readonly endpoint: Endpoint; readonly host: string; readonly path: string; readonly withinMs: number; readonly closes: boolean }

/** @param question.closes whether the connection ends with it; then that is waited for, too */
function ask({ agent, endpoint: { ip, port }, host, path, withinMs, closes }: Question): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { host, 'user-agent': 'appshot-exercise', ...(closes && { connection: 'close' }) };
    const asked = request({ agent, host: ip, port, path, headers, timeout: withinMs }, (response) => {
      response.resume();
      response.once('error', reject);
      if (closes) response.socket.once('close', () => resolve());
      else response.once('end', resolve);
    });
    asked.once('timeout', () => asked.destroy(new Error(`no answer within ${withinMs} ms`)));
    asked.once('error', reject);
    asked.end();
  });
}
