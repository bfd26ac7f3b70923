import type { Program } from '../driver/program.js';
import { apache2 } from './apache2.js';
import { go } from './go.js';
import { gunicorn } from './gunicorn.js';
import { haproxy } from './haproxy.js';
import { jvm } from './jvm.js';
import { mariadb } from './mariadb.js';
import { memcached, memcachedDaemon } from './memcached.js';
import { nginx } from './nginx.js';
import { nginxPhpFpm } from './nginx-php-fpm.js';
import { nodeCluster } from './node-cluster.js';
import { nodeHttp } from './node-http.js';
import { newerNodes } from './node-newer.js';
import { nodeWorkers } from './node-workers.js';
import { postgresql } from './postgresql.js';
import { puma } from './puma.js';
import { pumaCluster } from './puma-cluster.js';
import { pythonHttp } from './python-http.js';
import { redis, redisReplica } from './redis.js';

/** Every program of the matrix, in the order in which it is run and shown. */
export const programs: readonly Program[] = [
  nodeHttp, ...newerNodes, nodeCluster, nodeWorkers, pythonHttp, gunicorn, nginx, apache2, nginxPhpFpm, redis, memcached, memcachedDaemon, postgresql, mariadb, jvm, go, puma, pumaCluster, haproxy, redisReplica,
];
