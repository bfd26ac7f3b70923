import { InstanceState, type Phases } from '@appshot/protocol';
import type { Metrics } from '@appshot/runtime';

type Counter = ReturnType<Metrics['counter']>;
type Gauge = ReturnType<Metrics['gauge']>;
type Histogram = ReturnType<Metrics['histogram']>;

/** What a scheduler measures. Labels are bounded: operations, states, nodes, codes; apps only where asked for by name. */
export class Meters {
  readonly decisions: Counter;
  readonly wakes: Counter;
  readonly wakeSeconds: Histogram;
  readonly wakePhaseSeconds: Histogram;
  readonly operationSeconds: Histogram;
  readonly stoppedSeconds: Histogram;
  readonly failures: Counter;
  readonly instances: Gauge;
  readonly holds: Counter;
  readonly tickSeconds: Histogram;

  constructor(metrics: Metrics) {
    this.decisions = metrics.counter({ name: 'appshot_scheduler_events_total', help: 'Events, by type: what was decided and done.', labels: ['type'] });
    this.wakes = metrics.counter({ name: 'appshot_scheduler_wakes_total', help: 'Answers to gateways whose visitors waited: how the app came up, or that it was refused.', labels: ['app', 'how'] });
    this.wakeSeconds = metrics.histogram({ name: 'appshot_scheduler_wake_seconds', help: 'From a gateway\'s call to its answer.', labels: ['how'] });
    this.wakePhaseSeconds = metrics.histogram({ name: 'appshot_scheduler_wake_phase_seconds', help: 'The phases of bringing an instance up.', labels: ['how', 'phase'] });
    this.operationSeconds = metrics.histogram({ name: 'appshot_scheduler_operation_seconds', help: 'Putting to sleep, making templates, retiring.', labels: ['type'] });
    this.stoppedSeconds = metrics.histogram({ name: 'appshot_scheduler_snapshot_stopped_seconds', help: 'How long no process of an instance could run while it was saved.' });
    this.failures = metrics.counter({ name: 'appshot_scheduler_failures_total', help: 'Operations that failed, by kind and code.', labels: ['type', 'code'] });
    this.instances = metrics.gauge({ name: 'appshot_scheduler_instances', help: 'Instances by state and node, as this scheduler knows them.', labels: ['state', 'node'] });
    this.holds = metrics.counter({ name: 'appshot_scheduler_holds_total', help: 'Looks at an app that wanted more instances and did not get them, by reason.', labels: ['type'] });
    this.tickSeconds = metrics.histogram({ name: 'appshot_scheduler_tick_seconds', help: 'Time to look at every app once.' });
  }

  cameUp(how: string, phases: Phases): void {
    for (const [phase, ms] of Object.entries(phases)) this.wakePhaseSeconds.observe({ how, phase }, ms / 1000);
  }

  countInstances(instances: readonly { readonly state: InstanceState; readonly node: string }[]): void {
    this.instances.reset();
    for (const node of new Set(instances.map((one) => one.node))) for (const state of InstanceState.options) this.instances.set({ state, node }, 0);
    for (const { state, node } of instances) this.instances.inc({ state, node });
  }
}
