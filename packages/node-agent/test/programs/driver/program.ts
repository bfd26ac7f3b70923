import type { LaunchSpec, Running } from '../../../src/engine/engine.js';

/** An instance of a program, as its client sees it. */
export interface Site extends Pick<Running, 'aid' | 'ip' | 'address'> {
  /** Runs a command inside, beside the program and as its user; its output, trimmed. @throws when it fails */
  inside(command: readonly string[]): Promise<string>;
}

/**
 * A real server from the distribution, and how its own client uses it. What it runs from stands in `sites/NAME`, of which each
 * launch gets a copy. A program keeps a count in its memory, which is what has to sleep, wake and be cloned.
 */
export interface Program {
  readonly name: string;
  /** The folder in `sites`, where it is not called as the program. */
  readonly site?: string;
  /** Packages of Debian, all in scripts/packages-programs.txt. */
  readonly packages: readonly string[];
  /** A command whose output holds its version; run in its folder. */
  readonly version: readonly string[];
  /** Commands that make what it runs from, in its folder and on the host. */
  readonly build?: readonly (readonly string[])[];
  readonly command: readonly string[];
  readonly launch?: Partial<LaunchSpec>;
  /** What is there to be seen of its parts: shown in the table. */
  readonly parts: string;
  /** One visit more; resolves to how many there have been. */
  visit(site: Site): Promise<number>;
  /** A number that a timer inside moves on by itself. */
  ticks?(site: Site): Promise<number>;
  /** Random numbers of all the kinds that it has, drawn now: no clone's may be another's. */
  draws?(site: Site): Promise<readonly string[]>;
  /** Whether its parts still talk to each other over the connections that they had. @throws when not */
  chain?(site: Site): Promise<void>;
  /** How many connections its parts have made to each other so far: more after a wake means that those from before were lost. */
  connections?(site: Site): Promise<number>;
  /** Whether a visitor's connection has a process of its own, which ends with it. */
  readonly forksForVisitors?: true;
}
