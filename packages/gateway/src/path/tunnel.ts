import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Visit } from './visit.js';

export interface TunnelParts {
  readonly visit: Visit;
  readonly status: number;
  readonly headers: readonly string[];
  readonly upstream: Duplex;
  readonly silentMs: number;
  /** Both sides are closed. */
  readonly onClosed: () => void;
}

/** After 101 a connection is no HTTP any more: bytes go both ways as they come, until either side ends or both are silent. */
export function openTunnel({ visit, status, headers, upstream, silentMs, onClosed }: TunnelParts): void {
  const { response, upgradeHead } = visit;
  const visitor = response.socket!;
  // Before anything can fail: the response, too, watches its socket's end, and the visit is over only with the tunnel.
  response.detachSocket(visitor);
  closeTogether(visitor, upstream, onClosed);
  visitor.setTimeout(silentMs, () => visitor.destroy());
  visitor.write(switchingHead(status, headers, visit.request.upgrade!), 'latin1');
  if (upgradeHead !== undefined && upgradeHead.length > 0) upstream.write(upgradeHead);
  visitor.pipe(upstream);
  upstream.pipe(visitor);
}

function closeTogether(visitor: Socket, upstream: Duplex, onClosed: () => void): void {
  let open = 2;
  const pairs: [Duplex, Duplex][] = [[visitor, upstream], [upstream, visitor]];
  for (const [side, other] of pairs) {
    side.on('error', () => other.destroy());
    side.on('close', () => {
      // What was received before the end has still to be written.
      if (!other.writableEnded) other.end();
      else if (other.writableFinished) other.destroy();
      else other.once('finish', () => other.destroy());
      open -= 1;
      if (open === 0) onClosed();
    });
  }
}

function switchingHead(status: number, headers: readonly string[], protocol: string): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${head}\r\n`;
}
