import { WireError } from '@appshot/protocol';
import { FarmError } from '@appshot/runtime';
import type { z } from 'zod';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The control API of a farm. Every failure is a FarmError: the API's own, or `unavailable` when nobody answers. */
export class ApiClient {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base.replace(/\/+$/, '');
  }

  async get<S extends z.ZodType>(path: string, schema: S, query: Query = {}): Promise<z.output<S>> {
    return this.#read(await this.#send('GET', path, { query }), schema, path);
  }

  async post<S extends z.ZodType>(path: string, body: unknown, schema: S): Promise<z.output<S>> {
    return this.#read(await this.#send('POST', path, { body }), schema, path);
  }

  async delete(path: string): Promise<void> {
    await (await this.#send('DELETE', path, {})).body?.cancel();
  }

  /** The text of an endless or long answer, as it comes. Ends when `signal` is aborted. */
  async *stream(path: string, query: Query, signal: AbortSignal): AsyncGenerator<string> {
    const response = await this.#send('GET', path, { query, signal });
    if (response.body === null) return;
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body) yield decoder.decode(chunk as Uint8Array, { stream: true });
    } catch (error) {
      if (!signal.aborted) throw new FarmError('unavailable', `the connection to ${this.#base} was lost`, { cause: error });
    }
  }

  async #read<S extends z.ZodType>(response: Response, schema: S, path: string): Promise<z.output<S>> {
    const parsed = schema.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success) throw new FarmError('internal', `the control API's answer to ${path} is not understood: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`);
    return parsed.data;
  }

  async #send(method: string, path: string, { query = {}, body, signal }: { query?: Query; body?: unknown; signal?: AbortSignal }): Promise<Response> {
    const response = await this.#fetch(urlOf(this.#base, path, query), {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) throw await errorOf(response, `${method} ${path}`);
    return response;
  }

  async #fetch(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, init);
    } catch (error) {
      throw new FarmError('unavailable', `no farm answers at ${this.#base}: is "appshot up" running? (--api says where)`, { cause: error });
    }
  }
}

function urlOf(base: string, path: string, query: Query): URL {
  if (!URL.canParse(base)) throw new FarmError('bad-request', `--api ${base} is not a URL; write http://HOST:PORT`);
  const url = new URL(`${base}${path}`);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

async function errorOf(response: Response, what: string): Promise<FarmError> {
  const body: unknown = await response.json().catch(() => null);
  const wire = WireError.safeParse(body);
  return wire.success ? FarmError.fromWire(wire.data) : new FarmError('internal', `${what} was answered with status ${response.status}`);
}
