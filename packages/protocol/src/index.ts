export * from './app-spec.js';
export * from './errors.js';
export * from './ids.js';
export * from './messages.js';
export * from './records.js';
export * from './states.js';
