// What sites are made of: Express, a WebSocket server, pictures by libvips and its threads.
import { randomUUID } from 'node:crypto';
import express from 'express';
import sharp from 'sharp';
import { WebSocketServer } from 'ws';

let visits = 0;
let ticks = 0;
setInterval(() => { ticks += 1; }, 50);
const picture = { create: { width: 300, height: 300, channels: 3, background: { r: 10, g: 20, b: 30 } } };
const app = express();
app.get('/ticks', (request, response) => { response.type('text').send(`ticks ${ticks}\n`); });
app.get('/draws', (request, response) => { response.type('text').send(`${Math.random()}\n${randomUUID()}\n`); });
app.get('/', async (request, response) => {
  const small = await sharp(picture).resize(100).jpeg().toBuffer();
  visits += small.length > 100 ? 1 : 0;
  response.type('text').send(`visits ${visits}\n`);
});
const server = app.listen(process.env.PORT);
new WebSocketServer({ server }).on('connection', (socket) => { socket.on('message', (text) => socket.send(`heard ${text}`)); });
