import type { Program } from '../driver/program.js';
import { apache2 } from './apache2.js';
import { caddy } from './caddy.js';
import { erlang } from './erlang.js';
import { fastapi } from './fastapi.js';
import { go } from './go.js';
import { gunicorn } from './gunicorn.js';
import { haproxy } from './haproxy.js';
import { jvm } from './jvm.js';
import { mariadb } from './mariadb.js';
import { memcached, memcachedDaemon } from './memcached.js';
import { nginxPhpFpm } from './nginx-php-fpm.js';
import { nginx, nginxRenewed } from './nginx.js';
import { nodeCluster } from './node-cluster.js';
import { nodeHttp } from './node-http.js';
import { newerNodes } from './node-newer.js';
import { nodeWorkers } from './node-workers.js';
import { npm } from './npm.js';
import { postgresql } from './postgresql.js';
import { pumaCluster } from './puma-cluster.js';
import { puma } from './puma.js';
import { pythonHttp } from './python-http.js';
import { redis, redisReplica } from './redis.js';
import { supervisor } from './supervisor.js';
import { tomcat } from './tomcat.js';

/** Every program of the matrix, in the order in which it is run and shown. */
export const programs: readonly Program[] = [
  nodeHttp, ...newerNodes, nodeCluster, nodeWorkers, npm, pythonHttp, gunicorn, fastapi, nginx, nginxRenewed, apache2, nginxPhpFpm, redis, memcached, memcachedDaemon, postgresql, mariadb, jvm, tomcat, go, caddy, erlang, puma, pumaCluster, haproxy, supervisor, redisReplica,
];
