import { counter, draws } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const fastapi: Program = {
  name: 'fastapi', packages: ['python3-fastapi', 'python3-uvicorn', 'python3-uvloop', 'python3-httptools'],
  version: ['/usr/bin/python3', '-c', 'import fastapi; print(fastapi.__version__)'],
  command: ['/usr/bin/python3', '-m', 'uvicorn', '--loop', 'uvloop', '--http', 'httptools', '--host', '0.0.0.0', '--port', '3000', 'app:app'],
  parts: 'uvicorn with uvloop', ...counter, draws,
};
