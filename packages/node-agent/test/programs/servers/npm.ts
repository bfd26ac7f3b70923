import { counter, draws } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const npm: Program = {
  name: 'npm', packages: [], version: ['npm', '--version'],
  build: [['npm', 'install', '--no-save', '--no-audit', '--no-fund', 'express@5', 'sharp@0.35', 'ws@8']], command: ['npm', 'start'],
  parts: 'npm, sh, node: Express, ws, sharp', ...counter, draws,
  chain: async (site) => {
    const word = Math.random().toString(36).slice(2);
    const heard = await site.inside(['node', 'say.mjs', word]);
    if (heard !== `heard ${word}`) throw new Error(`the WebSocket server said: ${heard}`);
  },
};
