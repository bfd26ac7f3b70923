import { request } from 'node:http';
import { agentCalls, type AppRecord, type Endpoint, type InstanceRecord } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { Farm } from '../farm.js';
import { pauseAfter } from '../site-notes.js';
import { callAgent } from './call-agent.js';

export type Templated =
  | { readonly kind: 'made'; readonly image: string }
  | { readonly kind: 'had-one' | 'overtaken' }
  | { readonly kind: 'failed'; readonly error: FarmError };

/** Milliseconds that one warm-up request may take. */
const warmupWithinMs = 30_000;

/** Warms a running instance up and saves it as what the app's clones are made from, without stopping it for longer than that takes. */
export function makeTemplate(farm: Farm, app: AppRecord, record: InstanceRecord, wish: { because: string; again: boolean }): Promise<Templated> {
  return farm.underway.join(`template:${app.spec.name}`, async () => {
    const now = (await farm.registry.apps.get(app.spec.name)) ?? null;
    if (now === null || now.version !== app.version || record.version !== app.version) return { kind: 'overtaken' };
    if (now.template !== null && !wish.again) return { kind: 'had-one' };
    const begunAt = performance.now();
    try {
      if (record.endpoint === undefined) throw new FarmError('internal', `${record.aid} has no endpoint`);
      for (const path of app.spec.template.warmup) await visit(record.endpoint, app.spec.hosts[0] ?? app.spec.name, path);
      const warmupMs = performance.now() - begunAt;
      const done = await callAgent(farm, agentCalls(record.node).snapshot, { aid: record.aid, epoch: record.epoch, keepRunning: true });
      await farm.registry.images.put({ id: done.image, app: app.spec.name, aid: record.aid, node: record.node, bytes: done.bytes, createdAt: farm.now() });
      if (!(await farm.registry.apps.setTemplate(app.spec.name, app.version, done.image))) return { kind: 'overtaken' };
      await farm.view.refresh(app.spec.name);
      farm.memory.of(app.spec.name, farm.now()).templateFailures = 0;
      farm.meters.operationSeconds.observe({ type: 'template' }, (performance.now() - begunAt) / 1000);
      farm.meters.stoppedSeconds.observe(done.stoppedMs / 1000);
      farm.events.ofInstance(record, { type: 'templated', because: wish.because, phases: { warmup: warmupMs, ...done.phases }, facts: { image: done.image, bytes: done.bytes, stoppedMs: done.stoppedMs } });
      // A clone may be starting from the old one this moment; reconciling removes it once nothing names it.
      return { kind: 'made', image: done.image };
    } catch (thrown) {
      return couldNot(farm, app, { record, error: FarmError.from(thrown) });
    }
  });
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
    asked.once('error', reject);
    asked.end();
  });
}
