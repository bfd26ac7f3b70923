import http from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

// Two threads with memory in common; each visit goes through both by messages, and each keeps a timer of its own.
if (isMainThread) {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const workers = [0, 1].map((index) => new Worker(new URL(import.meta.url), { workerData: { shared, index } }));
  const ask = (worker, counts) => new Promise((resolve) => {
    worker.once('message', resolve);
    worker.postMessage(counts);
  });
  let line = Promise.resolve();
  http.createServer((request, response) => {
    line = line.then(async () => {
      const counts = request.url === '/';
      const [first, second] = [await ask(workers[0], counts), await ask(workers[1], counts)];
      if (first.visits !== second.visits) response.statusCode = 500;
      response.end(`visits ${first.visits} in all ${Atomics.load(shared, 0)} ticks ${Math.min(first.ticks, second.ticks)}\n`);
    });
  }).listen(3000);
} else {
  let visits = 0;
  let ticks = 0;
  setInterval(() => { ticks += 1; }, 50);
  parentPort.on('message', (counts) => {
    if (counts) visits += 1;
    if (counts) Atomics.add(workerData.shared, 0, 1);
    parentPort.postMessage({ visits, ticks });
  });
}
