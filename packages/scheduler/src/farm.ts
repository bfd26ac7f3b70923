import type { Millis, RoleId } from '@appshot/protocol';
import type { Registry } from '@appshot/registry';
import type { Bus, Logger } from '@appshot/runtime';
import type { SchedulerConfig } from './config.js';
import type { EventLog } from './event-log.js';
import type { FarmView } from './farm-view.js';
import type { Leases } from './leases.js';
import type { NodeBoard } from './load/node-board.js';
import type { TrafficBoard } from './load/traffic-board.js';
import type { Meters } from './meters.js';
import type { Underway } from './ops/underway.js';
import type { SiteMemory } from './site-notes.js';

/** What every operation works with: the farm as this scheduler reaches, knows and remembers it. */
export interface Farm {
  readonly id: RoleId;
  readonly config: SchedulerConfig;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly view: FarmView;
  readonly nodes: NodeBoard;
  readonly traffic: TrafficBoard;
  readonly memory: SiteMemory;
  readonly leases: Leases;
  readonly events: EventLog;
  readonly meters: Meters;
  readonly underway: Underway;
  readonly logger: Logger;
  readonly now: () => Millis;
}
