import type { IncomingMessage } from 'node:http';
import type { Endpoint } from '@appshot/protocol';
import type { Problem } from '../answer/problem.js';
import type { GatewayResponse } from '../http/gateway-response.js';
import type { Lane } from '../site/lane.js';
import type { Site } from '../site/site.js';
import type { Exchange } from './exchange.js';
import type { HeadStart } from './head-start.js';
import type { PreparedRequest } from './prepare-request.js';
import type { Waiting } from './waiting.js';

export interface VisitOwner {
  /** Its turn at an instance. */
  forward(visit: Visit, lane: Lane): void;
  /** An instance is coming back there: what may be sent already is. */
  ahead(visit: Visit, endpoint: Endpoint): void;
  /** It gets no instance. */
  answer(visit: Visit, problem: Problem): void;
  /** The last byte is written, or the visitor is gone; called once. */
  leave(visit: Visit): void;
}

/** A visitor's request, from arrival to last byte. Times are by `performance.now()`. */
export class Visit implements Waiting {
  readonly owner: VisitOwner;
  readonly site: Site;
  readonly incoming: IncomingMessage;
  readonly request: PreparedRequest;
  readonly response: GatewayResponse;
  readonly arrivedAt: number;
  /** What an upgrading visitor sent after its request. */
  readonly upgradeHead: Buffer | undefined;
  /** When it is told that nothing became ready; 0 as long as it never had to wait. */
  heldUntil = 0;
  /** The attempt under way to have it answered by an instance. */
  exchange: Exchange | undefined;
  /** What was sent before an instance was said to be there. */
  headStart: HeadStart | undefined;
  /** How often it was sent a second time after it may have reached an instance. */
  resent = 0;
  over = false;

  // By position: an object of named parts would be made and thrown away with every request.
  // eslint-disable-next-line max-params
  constructor(owner: VisitOwner, site: Site, incoming: IncomingMessage, response: GatewayResponse, request: PreparedRequest, now: number, upgradeHead: Buffer | undefined) {
    this.owner = owner;
    this.site = site;
    this.incoming = incoming;
    this.request = request;
    this.response = response;
    this.arrivedAt = now;
    this.upgradeHead = upgradeHead;
  }

  get waited(): boolean {
    return this.heldUntil !== 0;
  }

  send(lane: Lane): void {
    this.owner.forward(this, lane);
  }

  sendAhead(endpoint: Endpoint): void {
    this.owner.ahead(this, endpoint);
  }

  refuse(problem: Problem): void {
    this.owner.answer(this, problem);
  }
}
