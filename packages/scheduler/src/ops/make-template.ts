import { request } from 'node:http';
import { agentCalls, type AppRecord, type AppSpec, type Endpoint, type InstanceRecord, type Millis } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { pauseAfter } from '../site-notes.js';
import { callAgent } from './call-agent.js';
import { exercise } from './exercise.js';

export type Templated =
  | { readonly kind: 'made'; readonly image: string }
  | { readonly kind: 'had-one' | 'overtaken' }
  | { readonly kind: 'failed'; readonly error: FarmError };

/** Milliseconds that one warm-up request may take. */
const warmupWithinMs = 30_000;

/**
 * Warms a running instance up and saves it as what the app's clones are made from, without stopping it for longer than that takes.
 * @param wish.again in the place of the one that there is; then the instance is exercised first, for what V8 had compiled it may have given up since
 */
export function makeTemplate(farm: Farm, app: AppRecord, record: InstanceRecord, wish: { because: string; again: boolean; isWarm?: boolean }): Promise<Templated> {
  return farm.underway.join(`template:${app.spec.name}`, async () => {
    const now = (await farm.registry.apps.get(app.spec.name)) ?? null;
    if (now === null || now.version !== app.version || record.version !== app.version) return { kind: 'overtaken' };
    if (now.template !== null && !wish.again) return { kind: 'had-one' };
    try {
      if (wish.again) await exercise(farm, app.spec, record);
      const saved = await saveTemplate(farm, wish.isWarm === true ? unwarmed(app.spec) : app.spec, record, wish.because);
      if (!(await farm.registry.apps.setTemplate(app.spec.name, app.version, saved))) return { kind: 'overtaken' };
      await farm.view.refresh(app.spec.name);
      farm.memory.of(app.spec.name, farm.now()).templateFailures = 0;
      // A clone may be starting from the old one this moment; reconciling removes it once nothing names it.
      return { kind: 'made', image: saved };
    } catch (thrown) {
      return couldNot(farm, app, { record, error: FarmError.from(thrown) });
    }
  });
}

/** Visits the warm-up paths of a running instance, as a visitor would. @throws FarmError `timeout`, or what the connection failed with */
export async function warmUp(spec: AppSpec, record: InstanceRecord): Promise<void> {
  if (record.endpoint === undefined) throw new FarmError('internal', `${record.aid} has no endpoint`);
  for (const path of spec.template.warmup) await visit(record.endpoint, spec.hosts[0] ?? spec.name, path);
}

/** Without the paths that warm it up: that has been done. */
export const unwarmed = (spec: AppSpec): AppSpec => ({ ...spec, template: { ...spec.template, warmup: [] } });

/** Whether what a program does once, some seconds after it was started, is behind it. */
export const isRested = (farm: Farm, instance: InstanceRecord, now: Millis): boolean => now - instance.since >= farm.config.templateRestMs;

/** Warms a running instance up and saves it; whose template that is, is the caller's to say. @returns the image */
export async function saveTemplate(farm: Farm, spec: AppSpec, record: InstanceRecord, because: string): Promise<string> {
  const begunAt = performance.now();
  const rested = isRested(farm, record, farm.now());
  await warmUp(spec, record);
  const warmupMs = performance.now() - begunAt;
  const done = await callAgent(farm, agentCalls(record.node).snapshot, { aid: record.aid, epoch: record.epoch, keepRunning: true });
  await farm.registry.images.put({ id: done.image, app: spec.name, aid: record.aid, node: record.node, bytes: done.bytes, createdAt: farm.now() });
  farm.memory.of(spec.name, farm.now()).templateOfUnrested = rested ? null : done.image;
  farm.meters.operationSeconds.observe({ type: 'template' }, (performance.now() - begunAt) / 1000);
  farm.meters.stoppedSeconds.observe(done.stoppedMs / 1000);
  farm.events.ofInstance(record, { type: 'templated', because, phases: { warmup: warmupMs, ...done.phases }, facts: { image: done.image, bytes: done.bytes, stoppedMs: done.stoppedMs } });
  return done.image;
}

async function couldNot(farm: Farm, app: AppRecord, { record, error }: { record: InstanceRecord; error: FarmError }): Promise<Templated> {
  const is = await farm.registry.instances.get(record.aid);
  // Put to sleep, stopped or moved on meanwhile: not a failure, the next one will do.
  if (is?.epoch !== record.epoch) return { kind: 'overtaken' };
  farm.meters.failures.inc({ type: 'template', code: error.code });
  const notes = farm.memory.of(app.spec.name, farm.now());
  if (error.code === 'unsupported-state') notes.templateImpossible = app.version;
  notes.templateFailures += 1;
  notes.templateNotBefore = farm.now() + 10 * pauseAfter(notes.templateFailures);
  farm.events.ofInstance(record, { type: 'failed', because: `no template could be made: ${error.message}`, facts: { code: error.code, ...error.facts } });
  return { kind: 'failed', error };
}

/** One request as a visitor would make it; what it answers does not matter, that it answers does. */
function visit({ ip, port }: Endpoint, host: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: ip, port, path, headers: { host, 'user-agent': 'appshot-warmup', connection: 'close' }, timeout: warmupWithinMs }, (response) => {
      response.resume();
      response.once('end', resolve);
      response.once('error', reject);
    });
    asked.once('timeout', () => asked.destroy(new FarmError('timeout', `the warm-up path ${path} did not answer within ${warmupWithinMs} ms`)));
    asked.once('error', (cause) => reject(cause instanceof FarmError ? cause : new FarmError('not-ready-in-time', `the warm-up path ${path} was not answered: ${cause.message}`, { cause })));
    asked.end();
  });
}
