import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Aid, Endpoint } from '@appshot/protocol';
import { answerProblem } from '../answer/answer-problem.js';
import type { Problem } from '../answer/problem.js';
import type { GatewayConfig } from '../config.js';
import { serverTiming, type WakeNote } from '../headers/server-timing.js';
import type { GatewayResponse } from '../http/gateway-response.js';
import type { GatewayMetrics } from '../metrics.js';
import { hostName } from '../routes/host-name.js';
import type { RouteTable } from '../routes/route-table.js';
import type { Lane } from '../site/lane.js';
import type { Site } from '../site/site.js';
import { addressOf } from './address-of.js';
import { Exchange, type ExchangeOwner } from './exchange.js';
import { sendAhead, takeHeadStart } from './head-start.js';
import type { Holding } from './holding.js';
import { judgeFailure, type Verdict } from './judge-failure.js';
import type { Ledger } from './ledger.js';
import { prepareRequest } from './prepare-request.js';
import { RequestBody } from './request-body.js';
import { openTunnel } from './tunnel.js';
import { Visit, type VisitOwner } from './visit.js';

export interface RequestPathParts {
  readonly config: GatewayConfig;
  readonly routes: RouteTable<Site>;
  readonly ledger: Ledger;
  readonly metrics: GatewayMetrics;
  readonly holding: Holding;
}

/** The way of a request through the gateway, from first to last. Each stage is in the file of its name. */
export class RequestPath implements VisitOwner, ExchangeOwner {
  readonly #parts: RequestPathParts;
  readonly #holding: Holding;
  readonly #plain: { trustForwarded: boolean; upgrading: boolean };
  readonly #upgrading: { trustForwarded: boolean; upgrading: boolean };
  #stopping = false;

  constructor(parts: RequestPathParts) {
    this.#parts = parts;
    this.#plain = { trustForwarded: parts.config.trustForwarded, upgrading: false };
    this.#upgrading = { trustForwarded: parts.config.trustForwarded, upgrading: true };
    this.#holding = parts.holding;
  }

  /**
   * Where to, whose is it, is it sound; then it counts, and goes to an instance or waits for one.
   * @param upgradeHead what came after the request, when it asks for another protocol
   * @returns false when no site has the host name: the answer is somebody else's
   */
  serve(incoming: IncomingMessage, response: GatewayResponse, upgradeHead?: Buffer): boolean {
    const address = addressOf(incoming);
    if ('kind' in address) return refuse(response, address);
    const site = this.#parts.routes.find(hostName(address.host));
    if (site === undefined) return false;
    const request = prepareRequest(incoming, address, upgradeHead === undefined ? this.#plain : this.#upgrading);
    if ('kind' in request) return refuse(response, request);
    const now = performance.now();
    const visit = new Visit(this, site, incoming, response, request, now, upgradeHead);
    this.#arrive(visit);
    const lane = site.held.size === 0 ? site.choose(now) : undefined;
    if (lane !== undefined) this.forward(visit, lane, now);
    else this.#hold(visit, now);
    return true;
  }

  #arrive(visit: Visit): void {
    const { response, site, arrivedAt } = visit;
    response.visit = visit;
    response.on('close', onClose);
    this.#parts.ledger.arrived(site, arrivedAt);
  }

  #hold(visit: Visit, now: number): void {
    const { site } = visit;
    if (!this.#holding.hold(visit, now)) this.answer(visit, { kind: 'queue-full', app: site.app, held: site.held.size });
  }

  forward(visit: Visit, lane: Lane, now = performance.now()): void {
    const { incoming, request, response } = visit;
    const headStart = takeHeadStart(visit, lane.facts.endpoint);
    const exchange = new Exchange(visit, lane, { owner: this, now, ahead: headStart?.connection });
    visit.exchange = exchange;
    lane.inFlight += 1;
    if (headStart !== undefined) return headStart.handTo(exchange);
    const body = request.hasBody ? new RequestBody(incoming, () => request.expectsContinue && response.writeContinue()) : null;
    exchange.connection.client.dispatch({ method: request.method, path: request.path, headers: request.headers, upgrade: request.upgrade, body }, exchange);
  }

  ahead(visit: Visit, endpoint: Endpoint): void {
    sendAhead(visit, endpoint, this.#parts.config);
  }

  // ---- what becomes of it -------------------------------------------------------------------------------------------

  onReply(exchange: Exchange, _status: number, headers: string[]): void {
    const { visit, lane, connection, startedAt } = exchange;
    const now = performance.now();
    connection.lastUsedAt = now;
    lane.answered(now - startedAt);
    visit.site.tally.begin(now - visit.arrivedAt);
    if (this.#stopping) visit.response.shouldKeepAlive = false;
    if (visit.waited) headers.push('server-timing', timingOf(exchange, now));
  }

  onEnd(exchange: Exchange): void {
    const { lane, pool, connection, visit } = exchange;
    pool.giveBack(connection);
    if (exchange.replied) lane.finished += 1;
    lane.left();
    this.#parts.ledger.changed(visit.site);
    // Not within the client's callback: the connection just given back still has this exchange on it.
    if (visit.site.held.size > 0) queueMicrotask(() => this.#holding.release(visit.site));
  }

  onFailure(exchange: Exchange, error: Error): void {
    const { visit, lane } = exchange;
    const { site } = visit;
    const code = (error as NodeJS.ErrnoException).code ?? error.name;
    const now = performance.now();
    const verdict = judgeFailure({
      code, message: error.message, sent: exchange.sent, replied: exchange.replied, reused: exchange.reused,
      replayable: visit.request.replayable, resent: visit.resent > 0, refusingForMs: lane.refusingForMs(now),
    }, this.#parts.config);
    if (verdict.kind !== 'invalid') {
      lane.failed += 1;
      this.#parts.ledger.edge(site);
      this.#parts.metrics.upstreamFailed(site.app, code);
    }
    this.#obey(verdict, exchange, now);
  }

  #obey(verdict: Verdict, { visit, lane, sent }: Exchange, now: number): void {
    const { app } = visit.site;
    switch (verdict.kind) {
      case 'retry':
        if (verdict.blame) this.#holding.releaseIn(visit.site, lane.rest(now, this.#parts.config));
        if (sent) visit.resent += 1;
        return this.#holding.giveBack(visit, now);
      case 'refused':
      case 'broken':
        if (verdict.kind === 'refused') this.#holding.releaseIn(visit.site, lane.rest(now, this.#parts.config));
        return this.answer(visit, { kind: 'upstream-failed', app, because: verdict.because });
      case 'late':
        return this.answer(visit, { kind: 'upstream-late', app, withinMs: this.#parts.config.responseWithinMs });
      case 'invalid':
        return this.answer(visit, { kind: 'bad-request', because: verdict.because });
      case 'cut':
        visit.response.destroy();
    }
  }

  onTunnel(exchange: Exchange, { status, headers, socket }: { status: number; headers: string[]; socket: Duplex }): void {
    const { visit } = exchange;
    this.onReply(exchange, status, headers);
    openTunnel({
      visit, status, headers, upstream: socket, silentMs: this.#parts.config.tunnelSilentMs,
      onClosed: () => {
        exchange.end();
        this.leave(visit);
      },
    });
  }

  /** Last stage: the last byte is written, or the visitor is gone. */
  leave(visit: Visit): void {
    if (visit.over) return;
    visit.over = true;
    const { site, response, exchange } = visit;
    site.tally.end(response);
    this.#holding.leave(visit);
    exchange?.cancel();
    visit.headStart?.drop();
    this.#parts.ledger.left(site, performance.now());
  }

  answer(visit: Visit, problem: Problem): void {
    if (this.#stopping) visit.response.shouldKeepAlive = false;
    answerProblem(visit.response, problem);
  }

  // ---- told from outside --------------------------------------------------------------------------------------------

  /** An instance became ready, or may have more. */
  siteChanged(site: Site): void {
    if (site.removed) for (const visit of this.#holding.takeAll(site)) visit.refuse({ kind: 'removed', app: site.app });
    else if (site.held.size > 0) this.#holding.release(site);
  }

  /** An instance that sleeps, or is being restored, will be back there. */
  coming(site: Site, aid: Aid, endpoint: Endpoint): void {
    const state = site.lane(aid)?.facts.state;
    if (state === 'asleep' || state === 'restoring') this.#holding.sendAhead(site, endpoint);
  }

  /** A wake was answered, `callMs` after it was asked for. What the agent told of it before is what visitors waited for. */
  woken(site: Site, { aid, epoch, how, phases }: WakeNote & { aid: Aid; epoch: number }, callMs: number): void {
    const told = site.lastWake?.of;
    if (told?.aid !== aid || told.epoch !== epoch - 1) site.lastWake = { note: { how, phases }, at: performance.now() };
    this.#parts.metrics.woken({ ...phases, call: callMs });
  }

  /** Nobody else was asked. */
  wokenByAgent(site: Site, callMs: number): void {
    this.#parts.metrics.woken({ ...site.lastWake?.note.phases, call: callMs });
  }

  cannotWake(site: Site, { because, retryAfterS }: { because: string; retryAfterS: number }): void {
    for (const visit of this.#holding.takeAll(site)) visit.refuse({ kind: 'cannot-wake', app: site.app, because, retryAfterS });
  }

  /** Responses from now on close their connections. */
  stopping(): void {
    this.#stopping = true;
  }

  /** Whoever still waits is sent away. */
  abandon(): void {
    for (const site of this.#parts.routes.values()) for (const visit of this.#holding.takeAll(site)) visit.refuse({ kind: 'stopping' });
  }
}

function refuse(response: GatewayResponse, problem: Problem): true {
  answerProblem(response, problem);
  return true;
}

function onClose(this: GatewayResponse): void {
  this.visit?.owner.leave(this.visit);
}

function timingOf({ visit, startedAt }: Exchange, now: number): string {
  const { lastWake } = visit.site;
  const wake = lastWake !== undefined && lastWake.at >= visit.arrivedAt ? lastWake.note : undefined;
  return serverTiming({ wake, heldMs: startedAt - visit.arrivedAt, replyMs: now - startedAt });
}
