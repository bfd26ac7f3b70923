import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import type { Endpoint } from '@appshot/protocol';

/** A real HTTP server on a free port; it counts its connections and requests. */
export class Upstream {
  readonly server: Server;
  readonly sockets = new Set<Socket>();
  requests = 0;
  connections = 0;
  endpoint!: Endpoint;

  constructor(handler: (request: IncomingMessage, response: ServerResponse) => void) {
    this.server = createServer((request, response) => {
      this.requests += 1;
      handler(request, response);
    });
    this.server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  async start(port = 0): Promise<this> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.endpoint = { ip: '127.0.0.1', port: (this.server.address() as AddressInfo).port };
    return this;
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }
}

/** A TCP server that does with each connection what it is told to: for what no HTTP server would do. */
export async function startRaw(onConnection: (socket: Socket) => void): Promise<{ endpoint: Endpoint; server: TcpServer; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { endpoint: { ip: '127.0.0.1', port: (server.address() as AddressInfo).port }, server, close };
}
