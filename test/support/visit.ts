import http, { type Agent, type IncomingHttpHeaders } from 'node:http';

export interface Reply { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }

export interface VisitOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Keeps connections; without it each visit has one of its own. */
  readonly agent?: Agent;
}

/** One request over real HTTP; the whole reply, whatever its status. Rejects when the connection breaks. */
export function visit(to: { port: number; host: string; path: string }, { method = 'GET', headers = {}, body, agent }: VisitOptions = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1', port: to.port, path: to.path, method, agent: agent ?? false,
      headers: { host: to.host, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers },
    }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => { text += chunk; });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.once('error', reject);
    });
    request.once('error', reject);
    request.end(body);
  });
}
