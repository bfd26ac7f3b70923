import cluster from 'node:cluster';
import http from 'node:http';

// The count is the primary's: each visit of a worker goes to it and back over their channel.
if (cluster.isPrimary) {
  let visits = 0;
  let ticks = 0;
  setInterval(() => { ticks += 1; }, 50);
  for (const worker of [cluster.fork(), cluster.fork()]) {
    worker.on('message', ({ id, counts }) => {
      if (counts) visits += 1;
      worker.send({ id, visits, ticks });
    });
  }
} else {
  const waiting = new Map();
  let asked = 0;
  process.on('message', (answer) => waiting.get(answer.id)?.(answer));
  const ask = (counts) => new Promise((resolve) => {
    waiting.set(asked += 1, resolve);
    process.send({ id: asked, counts });
  });
  http.createServer(async (request, response) => {
    const { visits, ticks } = await ask(request.url === '/');
    response.end(`visits ${visits} ticks ${ticks} worker ${cluster.worker.id}\n`);
  }).listen(3000);
}
