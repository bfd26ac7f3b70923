import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A fixture program in a process of its own, and what it printed. */
export class Program {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly ended: Promise<[code: number | null, signal: NodeJS.Signals | null]>;

  constructor(fixture: string, args: string[] = []) {
    const path = fileURLToPath(new URL(`../fixtures/${fixture}.ts`, import.meta.url));
    this.child = spawn(process.execPath, ['--import=tsx', path, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, APPSHOT_LOG: 'info' } });
    this.child.stdout!.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    this.ended = once(this.child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  }
}
