import { counter, draws } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const nodeHttp: Program = {
  name: 'node-http', packages: [], version: ['node', '--version'], command: ['node', 'server.mjs'],
  parts: 'one process', ...counter, draws,
};
