import { counter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const nodeCluster: Program = {
  name: 'node-cluster', packages: [], version: ['node', '--version'], command: ['node', 'server.mjs'],
  parts: 'primary, two workers, channels', ...counter,
};
