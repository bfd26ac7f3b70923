import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { answerProblem } from '../answer/answer-problem.js';
import type { GatewayConfig } from '../config.js';
import { hostName } from '../routes/host-name.js';
import { closeWhenFinished } from './close-when-finished.js';
import { GatewayRequest } from './gateway-request.js';
import { GatewayResponse } from './gateway-response.js';
import { IdleConnections } from './idle-connections.js';
import { takeTurn } from './take-turn.js';

/** What serves visitors; false when no site has the request's host name. */
export type Serve = (request: IncomingMessage, response: GatewayResponse, upgradeHead?: Buffer) => boolean;

type Fallback = (request: IncomingMessage, response: GatewayResponse) => void;
type GatewayServer = Server<typeof IncomingMessage, typeof GatewayResponse>;

/**
 * The HTTP server. It is fastify's, but a site's request leaves before fastify's own life cycle, which costs as much as
 * the whole rest of the way (ADR 0020); what no site has goes through it.
 */
export class FrontServer {
  readonly #config: GatewayConfig;
  readonly #serve: Serve;
  readonly #servers = new Set<GatewayServer>();
  readonly #app: FastifyInstance;
  /** Connections that are no HTTP any more, or were never counted as such by the server. */
  readonly #upgraded = new Set<Socket>();
  readonly #idle: IdleConnections;

  constructor(config: GatewayConfig, serve: Serve) {
    this.#config = config;
    this.#serve = serve;
    this.#idle = new IdleConnections(config.keepAliveMs);
    this.#app = fastify({
      logger: false,
      forceCloseConnections: 'idle',
      serverFactory: (fallback) => this.#createServer(fallback as unknown as Fallback) as unknown as Server,
    }) as unknown as FastifyInstance;
  }

  /** Resolves with the address when visitors are let in. @throws EADDRINUSE and the like */
  async start(): Promise<AddressInfo> {
    this.#app.addHook('onRequest', (request, reply, done) => {
      reply.hijack();
      answerProblem(reply.raw, { kind: 'unknown-host', host: hostName(request.headers.host ?? '') });
      done();
    });
    this.#idle.start();
    const { host, port } = hostAndPort(this.#config.http);
    await this.#app.listen({ host, port });
    return this.#app.server.address() as AddressInfo;
  }

  /** Lets nobody in any more, and resolves when all are gone, or after `stopWithinMs` with the rest cut off. */
  async close(): Promise<void> {
    const sweep = setInterval(() => this.#eachServer((server) => server.closeIdleConnections()), 50);
    const cut = setTimeout(() => this.cut(), this.#config.stopWithinMs);
    await this.#app.close();
    await closeWhenFinished(this.#upgraded);
    clearTimeout(cut);
    this.#idle.close();
    clearInterval(sweep);
  }

  cut(): void {
    this.#eachServer((server) => server.closeAllConnections());
    for (const socket of this.#upgraded) socket.destroy();
  }

  #eachServer(act: (server: GatewayServer) => void): void {
    for (const server of this.#servers) act(server);
  }

  #createServer(fallback: Fallback): GatewayServer {
    const { maxHeaderBytes, headersWithinMs, requestWithinMs, maxConnections, maxPipelined } = this.#config;
    const server: GatewayServer = createServer({
      IncomingMessage: GatewayRequest as typeof IncomingMessage,
      ServerResponse: GatewayResponse,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersWithinMs,
      requestTimeout: requestWithinMs,
      // See IdleConnections.
      keepAliveTimeout: 0,
      connectionsCheckingInterval: 5_000,
      noDelay: true,
      // A visitor whose machine vanished is noticed also while nothing is sent to it.
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      insecureHTTPParser: false,
    });
    const answer: Fallback = (request, response) => {
      if (!this.#serve(request, response)) fallback(request, response);
    };
    const inTurn: Fallback = (request, response) => {
      if (response.hasTurn) answer(request, response);
      else takeTurn(response, request.socket, { maxPipelined, go: () => answer(request, response) });
    };
    server.maxConnections = maxConnections;
    server.on('request', inTurn);
    // With a listener Node sends no 100 by itself: it is sent when an instance is there to take the body.
    server.on('checkContinue', inTurn);
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, { head, fallback }));
    server.on('connect', (_request, socket) => socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'));
    this.#idle.watch(server as unknown as Server);
    this.#servers.add(server);
    return server;
  }

  /** Node hands over the bare connection; until the instance agrees to change the protocol it gets HTTP answers all the same. */
  #upgrade(request: IncomingMessage, socket: Socket, { head, fallback }: { head: Buffer; fallback: Fallback }): void {
    const response = new GatewayResponse(request);
    this.#idle.release(socket);
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    socket.on('error', () => socket.destroy());
    try {
      response.assignSocket(socket);
    } catch {
      // It was pipelined behind a request whose response is not finished: it would be answered out of turn.
      socket.destroy();
      return;
    }
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.end());
    if (!this.#serve(request, response, head)) fallback(request, response);
  }
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
