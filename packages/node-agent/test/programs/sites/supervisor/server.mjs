// Counts in memcached, over a connection that it keeps.
import http from 'node:http';
import net from 'node:net';

let connections = 0;
let ticks = 0;
let answered;
let cache;
setInterval(() => { ticks += 1; }, 50);
const connect = () => {
  cache = net.connect(3002, '127.0.0.1', () => { connections += 1; cache.write('add visits 0 0 1\r\n0\r\n'); });
  cache.on('data', (data) => { const number = /^\d+/.exec(String(data)); if (number) answered?.(number[0]); });
  cache.on('error', () => undefined);
  cache.on('close', () => setTimeout(connect, 50));
};
connect();
const count = () => new Promise((resolve) => { answered = resolve; cache.write('incr visits 1\r\n'); });
http.createServer(async (request, response) => {
  if (request.url === '/ticks') return response.end(`ticks ${ticks}\n`);
  if (request.url === '/connections') return response.end(`connections ${connections}\n`);
  if (request.url === '/ready') return response.writeHead(connections > 0 ? 200 : 503).end();
  response.end(`visits ${await count()}\n`);
}).listen(3000);
