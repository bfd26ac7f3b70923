import { counter, draws } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const pythonHttp: Program = {
  name: 'python-http', packages: ['python3'], version: ['/usr/bin/python3', '--version'], command: ['/usr/bin/python3', 'server.py'],
  parts: 'ThreadingHTTPServer', ...counter, draws,
};
