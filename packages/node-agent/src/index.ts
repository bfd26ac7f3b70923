export { AgentConfig } from './agent/agent-config.js';
export { startAgent, type AgentParts, type RunningAgent } from './agent/start-agent.js';
export type * from './engine/engine.js';
export { run, type RunningAgentRole } from './run.js';
