import type { Compression, Engine, EngineEvent, EngineSettings, ImageRow, InstanceRow, LaunchSpec, ProcessRow, ResourceIdQuery, ResourceIdRow, Running, SnapshotTaken } from './engine.js';
import { KeeperLink } from './keeper-link.js';

/** The engine over a connection to its keeper. */
export class KeeperEngine implements Engine {
  readonly #link: KeeperLink;
  readonly #listeners = new Set<(event: EngineEvent) => void>();

  constructor(dir: string) {
    this.#link = new KeeperLink({ dir, onEvent: (event) => { for (const listener of this.#listeners) listener(event); } });
  }

  start(): Promise<void> {
    return this.#link.start();
  }

  launch(spec: LaunchSpec): Promise<Running> {
    return this.#link.call('launch', { ...spec, searchPath: process.env['PATH'] ?? '' });
  }

  snapshot(aid: string, options: { keepRunning: boolean; image?: string; template?: boolean; compress?: Compression }): Promise<SnapshotTaken> {
    return this.#link.call('snapshot', { aid, ...options });
  }

  async cancelSnapshot(aid: string): Promise<'running' | 'slept'> {
    return (await this.#link.call<{ kind: 'running' | 'slept' }>('cancelSnapshot', { aid })).kind;
  }

  restore(aid: string): Promise<Running> {
    return this.#link.call('restore', { aid });
  }

  clone(image: string, aids: readonly string[], { parked = false }: { parked?: boolean } = {}): Promise<Running[]> {
    return this.#link.call('clone', { image, aids, parked });
  }

  beginWake(aid: string): Promise<{ readonly ip?: string }> {
    return this.#link.call('beginWake', { aid });
  }

  async park(aid: string): Promise<void> {
    await this.#link.call('park', { aid });
  }

  unpark(aid: string): Promise<Running> {
    return this.#link.call('unpark', { aid });
  }

  async warm(image: string, resident: boolean): Promise<void> {
    await this.#link.call('warm', { image, resident });
  }

  stop(aid: string): Promise<{ exited: boolean }> {
    return this.#link.call('stop', { aid });
  }

  async removeImage(image: string): Promise<void> {
    await this.#link.call('removeImage', { image });
  }

  list({ images } = { images: true }): Promise<{ running: InstanceRow[]; images: ImageRow[]; podsFree: number }> {
    return this.#link.call('list', { images });
  }

  ps(aid: string): Promise<ProcessRow[]> {
    return this.#link.call('ps', { aid });
  }

  async kill(aid: string, signal: string, vpid?: number): Promise<void> {
    await this.#link.call('kill', { aid, signal, ...(vpid === undefined ? {} : { vpid }) });
  }

  /** Runs a command in an instance, beside its application and as its user, with these standard files. Its exit code. */
  async exec(aid: string, command: readonly string[], stdio: readonly [number, number, number]): Promise<number> {
    return (await this.#link.call<{ code: number }>('exec', { aid, command }, stdio)).code;
  }

  inspect(id: string): Promise<Record<string, unknown>> {
    return this.#link.call('inspect', { id });
  }

  async rids(query: ResourceIdQuery): Promise<ResourceIdRow[]> {
    return (await this.#link.call<{ rids: ResourceIdRow[] }>('rids', { ...query })).rids;
  }

  async configure(options: EngineSettings): Promise<void> {
    await this.#link.call('configure', { ...options });
  }

  onEvent(listener: (event: EngineEvent) => void): void {
    this.#listeners.add(listener);
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}
