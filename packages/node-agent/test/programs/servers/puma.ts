import { counter, draws } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const puma: Program = {
  name: 'puma', packages: ['puma'], version: ['puma', '--version'], command: ['puma', '-b', 'tcp://0.0.0.0:3000', '-t', '1:4', 'config.ru'],
  parts: 'one process, threads', ...counter, draws,
};
