import { counter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const go: Program = {
  name: 'go', packages: ['golang-go'], version: ['go', 'version'], build: [['go', 'build', '-o', 'server', 'main.go']],
  command: ['./server'],
  // Linked without a C library, it cannot be told to renew its random numbers; it has none that matter.
  launch: { clone: { duplicateRandomness: true } },
  parts: 'net/http, static', ...counter,
};
