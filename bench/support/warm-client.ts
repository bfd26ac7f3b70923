import { spawn } from 'node:child_process';
import { freePort } from '@appshot/runtime/testing';
import { firstReply, firstReplyOfStarting } from './first-reply.js';

const server = "require('node:http').createServer((_, response) => response.end('ok')).listen(Number(process.argv[1]), '127.0.0.1')";

/**
 * Whoever measures shares the cores with what is measured, and a client that has waited for a moment takes half a millisecond longer
 * for a request to anything. This one has just asked somebody else: what is measured then is the other side.
 */
export class WarmClient {
  #port = 0;
  #end: () => Promise<void> = async () => undefined;

  async start(): Promise<this> {
    this.#port = await freePort();
    const child = spawn(process.execPath, ['-e', server, String(this.#port)], { env: {}, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    this.#end = async () => {
      child.kill('SIGKILL');
      await ended;
    };
    await firstReplyOfStarting({ ip: '127.0.0.1', port: this.#port });
    return this;
  }

  /** To be called right before something is measured. */
  async warm(): Promise<void> {
    for (let request = 0; request < 5; request += 1) await firstReply({ ip: '127.0.0.1', port: this.#port });
  }

  close(): Promise<void> {
    return this.#end();
  }
}
