import { type Command, Option } from 'commander';
import { ApiClient } from '../api/api-client.js';

export interface ApiOptions {
  readonly api: string;
  readonly json?: boolean;
}

/** What a command that talks to a farm works with. */
export interface ApiContext {
  readonly api: ApiClient;
  readonly json: boolean;
  /** Prints the value as JSON with --json, else the text. */
  readonly print: (value: unknown, text: string) => void;
}

export const defaultApi = 'http://127.0.0.1:8081';

/** Adds a command with `--api` and `--json`. */
export function apiCommand(program: Command, usage: string, description: string): Command {
  return program.command(usage).description(description)
    .addOption(new Option('--api <url>', 'where the farm is').env('APPSHOT_API').default(defaultApi))
    .option('--json', 'print JSON');
}

export function contextOf(options: ApiOptions): ApiContext {
  const json = options.json ?? false;
  return {
    api: new ApiClient(options.api),
    json,
    print: (value, text) => { if (json || text !== '') console.log(json ? JSON.stringify(value) : text); },
  };
}
