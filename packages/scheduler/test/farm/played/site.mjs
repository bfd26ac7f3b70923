// A small site that counts its visits in memory: what a snapshot has to keep. Prints the port it took.
import { createServer } from 'node:http';

let visits = Number(process.env.VISITS ?? 0);
const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://site');
  if (url.pathname === '/state') return void response.end(String(visits));
  if (url.pathname === '/exit') process.exit(3);
  const mine = (visits += 1);
  const answer = () => response.end(JSON.stringify({ visits: mine, pid: process.pid }));
  setTimeout(answer, Number(url.searchParams.get('ms') ?? 0));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
