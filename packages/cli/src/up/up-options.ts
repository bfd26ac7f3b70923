/** What `appshot up` was told. */
export interface UpOptions {
  readonly dir: string;
  readonly http: string;
  readonly api: string;
  readonly redis?: string;
  readonly nats?: string;
  readonly addresses?: string;
  readonly node: string;
  readonly deploy: readonly string[];
  /** ROLE.KEY=VALUE: settings of the roles beyond these options. */
  readonly set: readonly string[];
}
