import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { TestServer } from '@appshot/runtime/testing';

const run = promisify(execFile);

export interface Drive {
  readonly requestsPerS: number;
  /** CPU time of the driven process per request, microseconds. Hardly moves when others use the machine too. */
  readonly cpuUsPerRequest: number;
}

export interface DriveOptions {
  readonly connections: number;
  readonly seconds: number;
}

/** Loads a server with GETs over kept-alive connections, as fast as it answers. @throws Error when any answer is not 2xx */
export async function drive(server: TestServer, { connections, seconds }: DriveOptions): Promise<Drive> {
  const before = cpuUs(server.pid!);
  const { requests, tookS } = await loadWithWrk(server.url, { connections, seconds });
  return { requestsPerS: requests / tookS, cpuUsPerRequest: (cpuUs(server.pid!) - before) / requests };
}

async function loadWithWrk(url: string, { connections, seconds }: DriveOptions): Promise<{ requests: number; tookS: number }> {
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}`, url]);
  const [, requests, took, unit] = /(\d+) requests in ([\d.]+)(m?s)/.exec(stdout) ?? [];
  if (requests === undefined || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk of ${url}: ${stdout}`);
  return { requests: Number(requests), tookS: Number(took) / (unit === 'ms' ? 1_000 : 1) };
}

/** User and system time of a process so far, microseconds. */
function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
  // Clock ticks are 1/100 s for user space on every Linux.
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}
