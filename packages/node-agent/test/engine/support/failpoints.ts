import { KeeperLink } from '../../../src/engine/keeper-link.js';

/** Makes the steps of the keeper of a directory fail; needs APPSHOT_FAILPOINTS=1 where the keeper is started. */
export class Failpoints {
  readonly #link: KeeperLink;

  constructor(dir: string) {
    this.#link = new KeeperLink({ dir, onEvent: () => undefined });
  }

  /** Names of the steps that were reached since the keeper runs. */
  async reached(): Promise<string[]> {
    return (await this.#link.call<{ steps: string[] }>('failpoints', {})).steps;
  }

  /** The step fails, ends the keeper, or takes 300 ms longer the next time it is reached, once. */
  async arm(step: string, how: 'error' | 'kill' | 'pause'): Promise<void> {
    await this.#link.call('failpoints', { step, how });
  }

  async disarm(): Promise<void> {
    await this.#link.call('failpoints', {});
  }

  async keeperPid(): Promise<number> {
    return (await this.#link.call<{ pid: number }>('hello', {})).pid;
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}
