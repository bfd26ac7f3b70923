export { freePort } from '../free-port.js';
export { patienceMs, waitUntil } from './patience.js';
export { startNats } from './start-nats.js';
export { startRedis, type StartRedisOptions } from './start-redis.js';
export { TestServer } from './test-server.js';
