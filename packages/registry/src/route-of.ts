import type { AppSpec, AppTrial, InstanceRecord, Route } from '@appshot/protocol';

/** Milliseconds that a request may wait on top of what the app itself may take to become ready. */
const holdExtraMs = 5_000;

/** What a gateway has to know of an app, from what the registry knows. */
export function routeOf(spec: AppSpec, instances: readonly InstanceRecord[], trial: AppTrial | null): Route {
  return {
    app: spec.name,
    hosts: spec.hosts,
    exposed: spec.expose.flatMap(({ port, farmPort, silentMs }) => (farmPort === undefined ? [] : [{ farmPort, port, silentMs }])),
    concurrency: spec.scale.concurrency,
    holdMs: spec.ready.withinMs + holdExtraMs,
    instances: instances
      .map(({ aid, state, epoch, endpoint, version }) => ({ aid, state, epoch, version, ...(endpoint && { endpoint }) }))
      .sort((a, b) => (a.aid < b.aid ? -1 : 1)),
    trial: trial && { version: trial.version, percent: trial.percent },
  };
}
