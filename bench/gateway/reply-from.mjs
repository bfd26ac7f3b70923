import replyFrom from '@fastify/reply-from';
import fastify from 'fastify';

/** `reply-from.mjs PORT UPSTREAM`: the usual proxy of a fastify application, as its documentation has it. */
const [port, base] = process.argv.slice(2);
const app = fastify();
app.register(replyFrom, { base });
app.all('/*', (request, reply) => reply.from(request.raw.url));
await app.listen({ host: '127.0.0.1', port: Number(port) });
