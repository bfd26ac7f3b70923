import { waitUntil } from '@appshot/runtime/testing';
import { RawClient } from './client.js';
import type { DeployOptions, TestFarm } from './test-farm.js';
import { startRaw, Upstream } from './upstream.js';

export type Site = { app: string; host: string; aid: string };

/** Makes sites with servers of their own and closes these at the end. */
export class Sites {
  readonly #farm: TestFarm;
  readonly #gateway: () => { address: string };
  readonly #closing: (() => Promise<void>)[] = [];

  constructor(farm: TestFarm, gateway: () => { address: string }) {
    this.#farm = farm;
    this.#gateway = gateway;
  }

  async upstream(handler: ConstructorParameters<typeof Upstream>[0]): Promise<Upstream> {
    const upstream = await new Upstream(handler).start();
    this.#closing.push(() => upstream.close());
    return upstream;
  }

  async raw(onConnection: Parameters<typeof startRaw>[0]): ReturnType<typeof startRaw> {
    const server = await startRaw(onConnection);
    this.#closing.push(() => server.close());
    return server;
  }

  /** A site whose only instance is this server, once the gateway knows it. */
  async http(handler: ConstructorParameters<typeof Upstream>[0], options?: DeployOptions): Promise<Site & { upstream: Upstream }> {
    const upstream = await this.upstream(handler);
    const site = await this.#farm.deployReady(upstream.endpoint, options);
    await this.known(site.host);
    return { ...site, upstream };
  }

  async tcp(onConnection: Parameters<typeof startRaw>[0], options?: DeployOptions): Promise<Site> {
    const site = await this.#farm.deployReady((await this.raw(onConnection)).endpoint, options);
    await this.known(site.host);
    return site;
  }

  /** Waits until the gateway has heard of the host name; what it is asked it refuses by itself, the site sees nothing. */
  async known(host: string, gateway = this.#gateway()): Promise<void> {
    await waitUntil(async () => (await this.#probe(host, gateway)).includes('x-appshot-problem: not-implemented'), { what: `the route of ${host}` });
  }

  async #probe(host: string, gateway: { address: string }): Promise<string> {
    return new RawClient(gateway).send(`GET / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n`).all();
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.map((close) => close()));
  }
}
