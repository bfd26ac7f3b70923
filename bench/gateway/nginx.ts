import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, TestServer } from '@appshot/runtime/testing';
import { answersHttp } from './answers-http.js';

/** One nginx process, without a master and without root's paths. */
async function startNginx(serverBlock: (port: number) => string): Promise<TestServer> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'appshot-bench-nginx-'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join(' ');
  await writeFile(join(dir, 'nginx.conf'), `
    daemon off; master_process off; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
    events { worker_connections 2048; }
    http { access_log off; keepalive_requests 1000000000; ${temporary} ${serverBlock(port)} }
  `);
  const server = new TestServer({ url: `http://127.0.0.1:${port}`, port, dir, command: ['nginx', '-e', `${dir}/error.log`, '-p', dir, '-c', join(dir, 'nginx.conf')], answers: () => answersHttp(port) });
  await server.start();
  return server;
}

/** What every proxy has behind it: as little work as an HTTP server can do. */
export function startUpstream(): Promise<TestServer> {
  return startNginx((port) => `server { listen 127.0.0.1:${port}; location / { default_type text/plain; return 200 "hello world\\n"; } }`);
}

export function startNginxProxy(upstream: TestServer): Promise<TestServer> {
  return startNginx((port) => `
    upstream site { server 127.0.0.1:${upstream.port}; keepalive 256; keepalive_requests 1000000000; }
    server { listen 127.0.0.1:${port}; location / {
      proxy_pass http://site; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto http; proxy_set_header X-Forwarded-Host $host;
    } }`);
}
