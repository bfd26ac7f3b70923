// A WebSocket client of its own for each word.
import { WebSocket } from 'ws';

const socket = new WebSocket('ws://127.0.0.1:3000');
socket.on('open', () => socket.send(process.argv[2]));
socket.on('message', (text) => { console.log(String(text)); process.exit(); });
