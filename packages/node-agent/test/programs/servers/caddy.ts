import { counter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const caddy: Program = {
  name: 'caddy', packages: ['caddy'], version: ['caddy', 'version'], command: ['./start.sh'],
  launch: { port: 80, readyPath: '/ready' }, parts: 'a proxy in Go on port 80, Node.js behind it', ...counter,
};
