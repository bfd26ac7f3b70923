import { access } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runCommand } from './run-command.mjs';

const exists = (file) => access(file).then(() => true, () => false);

/** The folders in which native/cmake/binding.cmake looks for the headers of this Node.js, in its order. */
const places = () => [
  path.resolve(process.execPath, '../../include/node'),
  '/usr/include/node',
  path.join(os.homedir(), '.cache/node-gyp', process.versions.node, 'include/node'),
];

/** The native binding is compiled against the headers of Node.js, which most installations bring along; else they are fetched. */
export async function ensureNodeHeaders(say) {
  for (const place of places()) if (await exists(path.join(place, 'node_api.h'))) return;
  say(`fetching the headers of Node.js ${process.versions.node}`);
  await runCommand('npx', ['--yes', 'node-gyp', 'install', '--ensure'],
    { tries: 3, remedy: `The headers of Node.js ${process.versions.node} are missing and cannot be fetched (offline?); install them into ${places()[0]}` });
}
