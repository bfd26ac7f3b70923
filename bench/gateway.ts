import { fileURLToPath } from 'node:url';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, TestServer } from '@appshot/runtime/testing';
import { answersHttp } from './gateway/answers-http.js';
import { type Drive, drive } from './gateway/drive.js';
import { startNginxProxy, startUpstream } from './gateway/nginx.js';
import { startGatewayProcess } from './gateway/start-gateway.js';

interface Row {
  case: string;
  metric: string;
  unit: string;
  median: number;
  p99: number;
  n: number;
}

/** The proxies that stand side by side, by name. */
type Measured = Record<'appshot' | 'reply-from' | 'nginx', Drive>;
const names = ['appshot', 'reply-from', 'nginx'] as const;

/** The proxies are driven one after the other in each round, so that a slow moment of the machine meets all of them. */
async function measure({ rounds, seconds }: { rounds: number; seconds: number }): Promise<Measured[]> {
  const upstream = await startUpstream();
  const gateway = await startGatewayProcess(upstream);
  const servers = { appshot: gateway.server, 'reply-from': await startReplyFrom(upstream), nginx: await startNginxProxy(upstream) };
  try {
    // What the JIT compiler has not seen often is measured as something else.
    for (const name of names) await drive(servers[name], { connections: 50, seconds: 4 });
    const measured: Measured[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const results = {} as Measured;
      for (let step = 0; step < names.length; step += 1) {
        const name = names[(round + step) % names.length]!;
        results[name] = await drive(servers[name], { connections: 50, seconds });
      }
      measured.push(results);
    }
    return measured;
  } finally {
    await Promise.all([servers['reply-from'].stop(), servers.nginx.stop()]);
    await gateway.stop();
    await upstream.stop();
  }
}

async function startReplyFrom(upstream: TestServer): Promise<TestServer> {
  const port = await freePort();
  const script = fileURLToPath(new URL('gateway/reply-from.mjs', import.meta.url));
  const server = new TestServer({
    url: `http://127.0.0.1:${port}`, port, dir: await mkdtemp(join(tmpdir(), 'appshot-bench-reply-from-')), answers: () => answersHttp(port),
    command: [process.execPath, script, String(port), upstream.url],
  });
  await server.start();
  return server;
}

/** Of what is better when it is more, p99 is what 99 % of the runs reach; otherwise what 99 % do not exceed. */
function row(metric: string, unit: string, { values, moreIsBetter }: { values: number[]; moreIsBetter: boolean }): Row {
  const sorted = [...values].sort((a, b) => (moreIsBetter ? b - a : a - b));
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
  return { case: 'gateway', metric, unit, median: at(0.5), p99: at(0.99), n: values.length };
}

/**
 * One gateway process, 50 kept-alive connections, "hello world" from the same upstream, beside nginx proxy_pass and
 * @fastify/reply-from (one process each). Ratios are of the same round.
 */
export async function benchGateway({ rounds = 30, seconds = 1 }: { rounds?: number; seconds?: number } = {}): Promise<Row[]> {
  const measured = await measure({ rounds, seconds });
  const each = (value: (round: Measured) => number): number[] => measured.map(value);
  return [
    ...names.map((name) => row(`${name}, requests`, '1/s', { values: each((round) => round[name].requestsPerS), moreIsBetter: true })),
    ...names.map((name) => row(`${name}, CPU per request`, 'µs', { values: each((round) => round[name].cpuUsPerRequest), moreIsBetter: false })),
    row('requests, appshot / reply-from', '×', { values: each((round) => round.appshot.requestsPerS / round['reply-from'].requestsPerS), moreIsBetter: true }),
    // Says the same, and hardly moves when others use the machine too.
    row('requests a CPU second, appshot / reply-from', '×', { values: each((round) => round['reply-from'].cpuUsPerRequest / round.appshot.cpuUsPerRequest), moreIsBetter: true }),
    row('requests, appshot / nginx', '×', { values: each((round) => round.appshot.requestsPerS / round.nginx.requestsPerS), moreIsBetter: true }),
  ];
}
