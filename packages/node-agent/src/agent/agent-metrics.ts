import type { NodeLoad, Phases } from '@appshot/protocol';
import { FarmError, type Metrics } from '@appshot/runtime';

export type OperationKind = 'launch' | 'snapshot' | 'restore' | 'clone' | 'unpark' | 'stop';

/** The snapshot images on this node, together. */
export interface ImagesHeld { readonly count: number; readonly bytes: number }

/** What an agent tells Prometheus. */
export class AgentMetrics {
  readonly #operation;
  readonly #phase;
  readonly #stopped;
  readonly #instances;
  readonly #memory;
  readonly #podsFree;
  readonly #imageBytes;
  readonly #images;

  constructor(metrics: Metrics) {
    this.#operation = metrics.histogram({ name: 'appshot_agent_operation_seconds', help: 'Launches, snapshots, restores, clones and stops on this node.', labels: ['how', 'outcome'] });
    this.#phase = metrics.histogram({ name: 'appshot_agent_phase_seconds', help: 'Phases of the operations on this node.', labels: ['how', 'phase'] });
    this.#stopped = metrics.histogram({ name: 'appshot_agent_snapshot_stopped_seconds', help: 'How long a snapshot kept an instance from running.' });
    this.#instances = metrics.gauge({ name: 'appshot_node_instances', help: 'Instances that run on this node.' });
    this.#memory = metrics.gauge({ name: 'appshot_node_memory_bytes', help: 'Memory of this node: total, available, and used by instances.', labels: ['type'] });
    this.#podsFree = metrics.gauge({ name: 'appshot_node_pods_free', help: 'Pods made in advance that wait for an instance.' });
    this.#imageBytes = metrics.gauge({ name: 'appshot_node_image_bytes', help: 'Bytes of the snapshot images on this node.' });
    this.#images = metrics.gauge({ name: 'appshot_node_images', help: 'Snapshot images on this node.' });
  }

  /** Times an operation, whatever comes of it. */
  async time<T extends object>(how: OperationKind, work: () => Promise<T>): Promise<T> {
    const from = performance.now();
    const observe = (outcome: string): void => this.#operation.observe({ how, outcome }, (performance.now() - from) / 1000);
    try {
      const result = await work();
      observe('done');
      const { phases = {} } = result as { phases?: Phases };
      for (const [phase, ms] of Object.entries(phases)) this.#phase.observe({ how, phase }, ms / 1000);
      return result;
    } catch (error) {
      observe(FarmError.from(error).code);
      throw error;
    }
  }

  stoppedFor(ms: number): void {
    this.#stopped.observe(ms / 1000);
  }

  show(load: NodeLoad, images: ImagesHeld): void {
    this.#instances.set(load.instances.length);
    this.#memory.set({ type: 'total' }, load.memoryTotalBytes);
    this.#memory.set({ type: 'available' }, load.memoryAvailableBytes);
    this.#memory.set({ type: 'instances' }, load.instances.reduce((sum, row) => sum + row.memoryBytes, 0));
    this.#podsFree.set(load.slotsFree);
    this.#images.set(images.count);
    this.#imageBytes.set(images.bytes);
  }
}
