import http from 'node:http';

let visits = 0;
let ticks = 0;
setInterval(() => { ticks += 1; }, 50);
http.createServer((request, response) => {
  if (request.url === '/ready') return response.end();
  if (request.url === '/ticks') return response.end(`ticks ${ticks}\n`);
  visits += 1;
  response.end(`visits ${visits}\n`);
}).listen(Number(process.env.PORT));
