export { ApiClient } from './api/api-client.js';
export { runCli } from './run-cli.js';
