import { counter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const go: Program = {
  name: 'go', packages: ['golang-go'], version: ['go', 'version'], build: [['go', 'build', '-o', 'server', 'main.go']],
  command: ['./server'],
  parts: 'net/http, static', ...counter,
};
