// One hash tag for all, so that a Redis cluster keeps what one script changes in one place.
const prefix = 'appshot:{farm}:';

/** Every key of the registry. Nothing else builds key names. */
export const keys = {
  /** Number of the last AID given. */
  lastAid: `${prefix}aid:last`,
  /** Hash: cidr, restMs. */
  ipPool: `${prefix}ip:pool`,
  /** Hash: address -> node. */
  ipLeases: `${prefix}ip:leases`,
  /** Sorted set: address by the end of its rest, milliseconds. */
  ipResting: `${prefix}ip:resting`,
  /** The address given last. */
  ipCursor: `${prefix}ip:cursor`,
  /** Set of names. */
  apps: `${prefix}apps`,
  /** Hash: spec (JSON), version, deployedAt, template, hosts. */
  app: (name: string) => `${prefix}app:${name}`,
  appPrefix: `${prefix}app:`,
  /** Hash: host -> app. */
  hosts: `${prefix}hosts`,
  /** Hash: farm port -> app and port behind it, a space between. */
  farmPorts: `${prefix}ports`,
  /** Hash: app -> last version; outlives the app. */
  versions: `${prefix}versions`,
  /** Hash: AID -> app. */
  aids: `${prefix}aids`,
  /** Hash: AID -> record (JSON). */
  instances: (app: string) => `${prefix}instances:${app}`,
  instancesPrefix: `${prefix}instances:`,
  /** Hash: node -> record (JSON). */
  nodes: `${prefix}nodes`,
  /** Sorted set: gateway by the time it was seen, milliseconds. */
  gateways: `${prefix}gateways`,
  /** Hash: image -> record (JSON). */
  images: `${prefix}images`,
  /** Stream: n, app. */
  routeFeed: `${prefix}routes`,
  /** Number of the feed's last entry. */
  routeCounter: `${prefix}routes:n`,
  /** Stream: e (JSON). */
  events: `${prefix}events`,
  /** What an operation answered, for a while. */
  operation: (id: string) => `${prefix}op:${id}`,
} as const;
