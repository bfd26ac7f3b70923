import type { CloneSpec, Phases, Rule } from '@appshot/protocol';

/** What the engine has to know to start a program. Paths are absolute. */
export interface LaunchSpec {
  readonly aid: string;
  /** What rules call application-name; the AID without it. */
  readonly name?: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** User name or numeric id; an unprivileged id from the engine's own range without it. */
  readonly user?: string;
  /** Numeric id to run under when `user` is not given; the same for all instances of an app. */
  readonly uid?: number;
  readonly volumes: readonly { readonly host: string; readonly path: string }[];
  /** The TCP port that has to accept before `launch` returns; without it `launch` returns at once. */
  readonly port?: number;
  /** Path that has to answer below 500 before `launch` returns. */
  readonly readyPath?: string;
  readonly readyWithinMs: number;
  readonly memoryMb?: number;
  readonly cpus?: number;
  /** What clones share and what each gets of its own; tags in `command` and `env` are resolved, too. */
  readonly rules?: readonly Rule[];
  readonly clone?: Partial<CloneSpec>;
  /** What becomes of connections to the outside when it sleeps; `auto` without it. */
  readonly connections?: 'auto' | 'keep' | 'reset';
  /** Its programs may use io_uring and Linux AIO, and cannot be saved while they do; otherwise it answers them that the kernel has none. */
  readonly asyncIo?: boolean;
  /** It may open connections to what is beyond this machine; otherwise it only answers, and its own connects fail at once (`ENETUNREACH`). */
  readonly egress?: boolean;
  /** Whether the memory in the images that it sleeps as is compressed; `none` without it. */
  readonly compress?: Compression;
}

/** Of the pages of an image: `zstd` takes less of the disk, and makes its wakes slower. */
export type Compression = 'none' | 'zstd';

export interface EngineSettings {
  /** That pods may have, beside those in use. */
  readonly addresses: readonly string[];
  /** How many pods are kept ready. */
  readonly podsReady: number;
  /** What this node is called. */
  readonly node?: string;
  /** Addresses that are kept for instances that sleep with connections are given up where they are not among these. */
  readonly noOthers?: boolean;
}

/** What runs after launch, restore or clone. */
export interface Running {
  readonly aid: string;
  /** Host pid of the application's first process. */
  readonly pid: number;
  /** Host pids of all processes, the pod's init not counted. */
  readonly pids: number;
  /** As reached from the node. */
  readonly ip: string;
  /** IP:PORT; the port is that of the launch, 0 without one. */
  readonly address: string;
  readonly phases: Phases;
}

export interface SnapshotTaken {
  readonly image: string;
  readonly bytes: number;
  readonly stoppedMs: number;
  readonly phases: Phases;
  /** It has connections to the outside that go on if it wakes under the address that it had; the engine keeps that free for it. */
  readonly keepsAddress: boolean;
  /** True when cancelSnapshot came in time: the instance runs on and there is no image. */
  readonly cancelled: boolean;
}

export interface ProcessRow { readonly vpid: number; readonly pid: number; readonly comm: string; readonly state: string }

export interface InstanceRow {
  readonly aid: string;
  /** `parked`: whole and frozen. */
  readonly state: 'running' | 'snapshotting' | 'parked';
  readonly ip: string;
  readonly port: number;
  readonly pids: number;
  readonly memoryBytes: number;
  /** CPU time used since it runs, microseconds. */
  readonly cpuUs: number;
}

/** One translation between what an instance calls a resource and what its node calls it. */
export interface ResourceIdRow { readonly aid: string; readonly type: string; readonly virtual: string | number; readonly system: string | number }

/** What a row has to match; of one instance, or of all. */
export interface ResourceIdQuery { readonly aid?: string; readonly type?: string; readonly virtual?: string; readonly system?: string }

export interface ImageRow { readonly id: string; readonly bytes: number }

export type EngineEvent =
  | { readonly kind: 'exited'; readonly aid: string; readonly status: number | null; readonly signal: string | null };

/**
 * The engine as TypeScript sees it: one keeper process per directory does the work, this is a connection to it.
 * Errors are EngineError with a code of the protocol.
 */
export interface Engine {
  launch(spec: LaunchSpec): Promise<Running>;
  /** Saves instance `aid` as image `image` (its own AID by default); with `template`, refused where no safe clone could be made of it. */
  snapshot(aid: string, options: { keepRunning: boolean; image?: string; template?: boolean; compress?: Compression }): Promise<SnapshotTaken>;
  cancelSnapshot(aid: string): Promise<'running' | 'slept'>;
  /** Brings the sleeping instance back under its own AID; the image stays until the next snapshot replaces it. */
  restore(aid: string): Promise<Running>;
  /**
   * Begins to bring an image's instance back, though nobody has decided yet that it shall: `restore` then only lets it go. Given up
   * when nothing has come of it within two seconds; does nothing for what runs.
   * @returns the address under which it will answer, if anything was begun: connections to it are made, and wait
   */
  beginWake(aid: string): Promise<{ readonly ip?: string }>;
  /** Clones of an image, one per AID. With `parked` each is frozen before it serves anybody, for `unpark` to let it. */
  clone(image: string, aids: readonly string[], options?: { parked?: boolean }): Promise<Running[]>;
  /**
   * Freezes a running instance where it stands: it keeps its memory and uses no CPU. Does nothing to one that is parked. Its
   * clocks go on, so timers that came due meanwhile fire once when it is thawed; connections to it wait.
   */
  park(aid: string): Promise<void>;
  /** Lets a parked instance run again; does nothing to one that runs. */
  unpark(aid: string): Promise<Running>;
  /** Builds the image's zygote in advance, or lets it go. */
  warm(image: string, resident: boolean): Promise<void>;
  stop(aid: string): Promise<{ exited: boolean }>;
  removeImage(image: string): Promise<void>;
  /** What runs and what sleeps; without `images` these are not read, of which there may be thousands. */
  list(options?: { images: boolean }): Promise<{ running: InstanceRow[]; images: ImageRow[]; podsFree: number }>;
  ps(aid: string): Promise<ProcessRow[]>;
  kill(aid: string, signal: string, vpid?: number): Promise<void>;
  inspect(id: string): Promise<Record<string, unknown>>;
  /** Answers in both directions: by virtual id, or by system id. */
  rids(query: ResourceIdQuery): Promise<ResourceIdRow[]>;
  configure(options: EngineSettings): Promise<void>;
  onEvent(listener: (event: EngineEvent) => void): void;
  close(): Promise<void>;
}
