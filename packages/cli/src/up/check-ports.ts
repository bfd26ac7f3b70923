import { FarmError, portOwner, tryListen } from '@appshot/runtime';

export interface HostPort { readonly host: string; readonly port: number }

/** @throws FarmError `bad-request` */
export function parseHostPort(text: string, flag: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port < 1 || port > 65_535) throw new FarmError('bad-request', `${flag} ${text}: write HOST:PORT, as in 127.0.0.1:8080`);
  return { host, port };
}

/** @throws FarmError `port-in-use` that names the port and, if it can be found, the process that has it. */
export async function checkPortFree({ host, port }: HostPort, flag: string): Promise<void> {
  const code = await tryListen(host, port);
  if (code === null) return;
  if (code === 'EADDRINUSE') {
    const owner = portOwner(port);
    throw new FarmError('port-in-use', `port ${port} on ${host} is in use${owner === null ? '' : ` by ${owner}`}: give another by ${flag} HOST:PORT`, { facts: { port, owner } });
  }
  throw new FarmError('bad-request', `${flag} ${host}:${port} cannot be listened on: ${code}`);
}
