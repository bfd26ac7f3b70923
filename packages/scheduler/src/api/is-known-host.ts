import { isIP } from 'node:net';
import { hostname } from 'node:os';

/**
 * Whether a request's Host is one under which the control API may be called: an address, localhost, this machine's name, or one
 * of the settings. Another name that leads here is how a web page in somebody's browser reaches services of their machine
 * (DNS rebinding), and this one starts programs.
 */
export function isKnownHost(hostHeader: string | undefined, known: readonly string[]): boolean {
  // HTTP/1.0 has none; no browser speaks it.
  if (hostHeader === undefined) return true;
  const name = hostHeader.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return isIP(name) !== 0 || name === 'localhost' || name === hostname().toLowerCase() || known.includes(name);
}
