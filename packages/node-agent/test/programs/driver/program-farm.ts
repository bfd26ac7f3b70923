import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, open, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Running } from '../../../src/engine/engine.js';
import type { KeeperEngine } from '../../../src/engine/keeper-engine.js';
import { openEngine } from '../../../src/engine/open-engine.js';
import { awaitNothingLeft } from '../../engine/support/leftovers.js';
import type { Program, Site } from './program.js';

const run = promisify(execFile);
const sites = path.join(import.meta.dirname, '../sites');

/** Where daemons live on Debian is not on everybody's PATH. */
export const searchPath = `/usr/sbin:/sbin:${process.env['PATH'] ?? ''}`;

/** An engine of its own that the programs run in, and their folders. */
export class ProgramFarm {
  #top = '';
  #engine: KeeperEngine | undefined;

  async start(): Promise<void> {
    this.#top = await realpath(await mkdtemp(path.join(tmpdir(), 'appshot-programs-')));
    // What stands below is for the programs' users to read.
    await mkdir(path.join(this.#top, 'sites'), { mode: 0o755 });
    process.env['PATH'] = searchPath;
    this.#engine = await openEngine({ dir: this.#dir });
  }

  /** Everything is to have been cleared before. @throws when something of the engine is left on the machine */
  async close(): Promise<void> {
    await this.#engine?.close();
    if (this.#top === '') return;
    try {
      if (this.#engine !== undefined) await awaitNothingLeft(this.#dir);
    } finally {
      await rm(this.#top, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
    }
  }

  get #dir(): string {
    return path.join(this.#top, 'engine');
  }

  get engine(): KeeperEngine {
    if (this.#engine === undefined) throw new Error('the farm has not started');
    return this.#engine;
  }

  /** A copy of the program's folder, with what it builds. */
  async prepare(program: Program): Promise<string> {
    const folder = path.join(this.#top, 'sites', program.name);
    await cp(path.join(sites, program.site ?? program.name), folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return mkdir(folder);
    });
    const env = { ...process.env, PATH: searchPath, GOCACHE: path.join(this.#top, 'go-cache'), GOTOOLCHAIN: 'local', CGO_ENABLED: '0' };
    for (const [command = '', ...args] of program.build ?? []) await run(command, args, { cwd: folder, env });
    return folder;
  }

  /** The first number with a dot in what the program says of itself. */
  async versionOf({ version: [name = '', ...args] }: Program, folder: string): Promise<string> {
    const said = await run(name, args, { cwd: folder, env: { ...process.env, PATH: searchPath } });
    return /\d+\.\d[\d.]*/.exec(`${said.stdout}${said.stderr}`)?.[0] ?? 'unknown';
  }

  async launch(program: Program, folder: string): Promise<Site> {
    return this.siteOf(await this.engine.launch({
      aid: program.name, command: program.command, cwd: folder, env: {}, volumes: [], port: 3000, readyWithinMs: 120_000, ...program.launch,
    }));
  }

  /** Ends all that a program's test made. */
  async clear(program: Program): Promise<void> {
    // One program at a time, so all that is there is its.
    const { running, images } = await this.engine.list();
    for (const { aid } of running) await this.engine.stop(aid).catch(() => undefined);
    for (const { id } of images) await this.engine.removeImage(id).catch(() => undefined);
    await rm(path.join(this.#top, 'sites', program.name), { recursive: true, force: true });
  }

  siteOf({ aid, ip, address }: Running): Site {
    return { aid, ip, address, inside: (command) => this.#inside(aid, command) };
  }

  async #inside(aid: string, command: readonly string[]): Promise<string> {
    const output = path.join(this.#top, `${aid}.output`);
    const file = await open(output, 'w+');
    const nothing = await open('/dev/null', 'r');
    try {
      const code = await this.engine.exec(aid, command, [nothing.fd, file.fd, file.fd]);
      const text = (await readFile(output, 'utf8')).trim();
      if (code !== 0) throw new Error(`${command.join(' ')} in ${aid}: exit code ${code}: ${text.slice(-500)}`);
      return text;
    } finally {
      await Promise.all([file.close(), nothing.close()]);
    }
  }
}
