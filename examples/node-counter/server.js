// A site with everything in memory: visits, sessions, and as much ballast as one likes.
import { randomUUID } from 'node:crypto';
import http from 'node:http';

const port = Number(process.env.PORT ?? 3000);
const ballast = makeBallast(Number(process.env.BALLAST_MB ?? 0));
const sessions = new Map();
let visits = 0;

/** About `megabytes` of live objects on the JavaScript heap, as a framework and its caches would hold. */
function makeBallast(megabytes) {
  const bytesEach = 128;
  return Array.from({ length: Math.round((megabytes * 1024 * 1024) / bytesEach) }, (_, id) => ({ id, name: `item ${id}`, price: id * 1.1 }));
}

function sessionOf(request) {
  const id = /(?:^|;\s*)session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  if (id !== undefined && sessions.has(id)) return { id, session: sessions.get(id), isNew: false };
  // Without Node's own cache of random bytes: what was cached before the site was cloned, every clone would give out.
  const fresh = randomUUID({ disableEntropyCache: true });
  sessions.set(fresh, { visits: 0 });
  return { id: fresh, session: sessions.get(fresh), isNew: true };
}

function visit(request, response) {
  visits += 1;
  const { id, session, isNew } = sessionOf(request);
  session.visits += 1;
  if (isNew) response.setHeader('set-cookie', `session=${id}; HttpOnly; SameSite=Lax; Path=/`);
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify({ visits, yourVisits: session.visits, session: id, pid: process.pid, ballast: ballast.length })}\n`);
}

/** Answers after ?ms=…, as a page that waits for a database does. */
function slow(url, response) {
  setTimeout(() => response.end('done\n'), Number(url.searchParams.get('ms') ?? 100));
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://site');
  if (url.pathname === '/healthz') response.end('ok\n');
  else if (url.pathname === '/slow') slow(url, response);
  else if (url.pathname === '/echo') request.pipe(response);
  else if (url.pathname === '/') visit(request, response);
  else response.writeHead(404).end('no such page\n');
});

server.listen(port, () => console.log(`listening on port ${port}`));
