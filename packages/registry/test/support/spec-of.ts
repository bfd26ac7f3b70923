import { AppSpec } from '@appshot/protocol';

/** A valid app with every default. */
export function specOf(name: string, hosts: string[] = [`${name}.localhost`]): AppSpec {
  return AppSpec.parse({ name, hosts, command: ['node', 'server.js'], cwd: '/srv', port: 3000 });
}
