export { freePort } from '../free-port.js';
export { waitUntil } from '../wait-until.js';
export { startNats } from './start-nats.js';
export { startRedis, type StartRedisOptions } from './start-redis.js';
export { TestServer } from './test-server.js';
