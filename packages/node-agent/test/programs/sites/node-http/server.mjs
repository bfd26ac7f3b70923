import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import http from 'node:http';

let visits = 0;
let ticks = 0;
setInterval(() => { ticks += 1; }, 50);
http.createServer((request, response) => {
  if (request.url === '/ticks') return response.end(`ticks ${ticks}\n`);
  if (request.url === '/draws') return response.end(`${[Math.random(), randomUUID(), randomInt(2 ** 40), randomBytes(8).toString('hex')].join('\n')}\n`);
  visits += 1;
  response.end(`visits ${visits}\n`);
}).listen(3000);
