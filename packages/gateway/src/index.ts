export { GatewayConfig, type GatewaySettings } from './config.js';
export { run, type RunningGateway } from './run.js';
export { type Gateway, type GatewayParts, startGateway } from './start-gateway.js';
