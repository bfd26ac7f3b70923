import { counter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const gunicorn: Program = {
  name: 'gunicorn', packages: ['gunicorn'], version: ['gunicorn', '--version'], command: ['gunicorn', 'app:application'],
  parts: 'master, two workers', ...counter,
};
