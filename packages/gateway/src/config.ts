import { randomBytes } from 'node:crypto';
import { RoleId } from '@appshot/protocol';
import { z } from 'zod';

const ms = (fallback: number) => z.coerce.number().int().min(0).max(86_400_000).default(fallback);
const count = (fallback: number) => z.coerce.number().int().min(1).max(1_000_000).default(fallback);

/** Everything that can be set about a gateway. Times are milliseconds, sizes bytes. */
export const GatewayConfig = z.strictObject({
  /** Name of this gateway in the farm. By default new with every start: two processes never answer to one name. */
  id: RoleId.default(() => `gw-${randomBytes(5).toString('hex')}`),
  /** Where visitors come in, HOST:PORT; port 0 takes a free one. */
  http: z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^:[\]]+):\d{1,5}$/, 'HOST:PORT').default('127.0.0.1:8080'),
  /** Address on which ports that apps expose are opened; by default that of `http`. */
  exposeHost: z.string().min(1).optional(),
  redisUrl: z.url(),
  natsUrl: z.url(),

  /**
   * Whether what the visitor's side says of itself in `X-Forwarded-*` and `Forwarded` is believed and added to. Only
   * right behind another proxy; anywhere else a visitor could name any address as its own.
   */
  trustForwarded: z.stringbool().or(z.boolean()).default(false),

  // ---- visitors -----------------------------------------------------------------------------------------------------
  /** Connections at a time; further ones are closed at once. */
  maxConnections: count(20_000),
  /** Size of all header fields of a request, and of a response. */
  maxHeaderBytes: count(32_768),
  /** Time for a visitor to send its header fields. */
  headersWithinMs: ms(30_000),
  /** Time for a visitor to send its whole request; 0 is without end. */
  requestWithinMs: ms(600_000),
  /** How long a visitor's connection stays open between requests. Longer than the usual 60 s of a load balancer in front. */
  keepAliveMs: ms(65_000),
  /** Pipelined requests that may wait on one connection before the gateway stops reading from it. */
  maxPipelined: count(16),
  /** How long an upgraded connection (a WebSocket) may be silent; 0 is without end. It keeps its site awake. */
  tunnelSilentMs: ms(3_600_000),

  // ---- holding ------------------------------------------------------------------------------------------------------
  /** Requests that wait for one site; further ones get 503. How long they wait is the route's `holdMs`. */
  maxHeld: count(2_000),
  /** How long the agent where a site sleeps may take to wake it by its own decision before a scheduler is asked. */
  agentDecidesWithinMs: ms(25),
  /** A wake that is not answered for so long is asked for again: the scheduler that had it may have died. Joined there. */
  wakeAskAgainMs: ms(3_000),
  /** Pauses between asking when nobody can be asked, growing from the first to the second. */
  wakePauseMs: ms(50),
  wakePauseMaxMs: ms(1_000),

  // ---- instances ----------------------------------------------------------------------------------------------------
  /** Time for an instance to accept a connection. */
  connectWithinMs: ms(2_000),
  /** Time for an instance to begin its response; 504 after it. 0 is without end. */
  responseWithinMs: ms(120_000),
  /**
   * How long a response (or an upload) may be silent; the connection is cut after it. 0 is without end. As long as
   * `responseWithinMs`, a connection needs one timer for both, which saves some 3 % of all CPU time.
   */
  silentMs: ms(120_000),
  /** How long a connection to an instance stays open between requests, unless the instance names a shorter time. */
  idleConnectionMs: ms(4_000),
  /** After so much idleness a request that may not be sent twice gets a connection of its own: the old one may just be closing. */
  freshAfterIdleMs: ms(500),
  /** Pauses before an instance that refused a connection is tried again, growing from the first to the second. */
  refusedPauseMs: ms(20),
  refusedPauseMaxMs: ms(500),
  /** How long a visitor waits for an instance that the farm calls ready but that refuses connections; 502 after it. */
  refusedForMs: ms(5_000),
  /** How long an instance that only a wake's answer named is believed in without the route feed naming it. */
  unconfirmedForMs: ms(5_000),

  // ---- reports ------------------------------------------------------------------------------------------------------
  /** Time between traffic reports of an app while anything changes. */
  trafficEveryMs: ms(250),
  /**
   * Edges (idle to busy and back, holding begins, an instance fails) are told so long after they happen: who hears of them would take
   * the CPU from what answers the visitor. Most answers are there by then, and both edges of a visit are one report.
   */
  trafficEdgeAfterMs: ms(20),
  /** And not more often than this. */
  trafficEdgeEveryMs: ms(50),
  /** Time between reports of apps that have requests in flight while nothing changes: a new scheduler learns of them. */
  trafficRefreshMs: ms(2_000),
  heartbeatEveryMs: ms(1_000),

  /** Time for requests in flight to finish when the gateway ends; what is left is cut. */
  stopWithinMs: ms(10_000),
});
export type GatewayConfig = z.output<typeof GatewayConfig>;
export type GatewaySettings = z.input<typeof GatewayConfig>;
