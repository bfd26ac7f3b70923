import { counter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const pumaCluster: Program = {
  name: 'puma-cluster', packages: ['puma'], version: ['puma', '--version'], command: ['puma', '-C', 'puma.rb', 'config.ru'],
  parts: 'master, two workers', ...counter,
};
