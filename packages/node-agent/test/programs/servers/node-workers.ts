import { counter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const nodeWorkers: Program = {
  name: 'node-workers', packages: [], version: ['node', '--version'], command: ['node', 'server.mjs'],
  parts: 'two worker_threads', ...counter,
};
