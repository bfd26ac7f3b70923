import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Where the scripts find and keep things; everything that they make themselves stands in `.build`. */
export const paths = {
  root,
  build: path.join(root, '.build'),
  tools: path.join(root, '.build/tools'),
  stamps: path.join(root, '.build/stamps'),
  nativeBuild: path.join(root, 'native/build'),
};

/** PATH of everything that the scripts run: tools of `.build` first, and where daemons live on Debian. */
export const toolPath = () => [
  path.join(paths.tools, 'node_modules/.bin'), path.join(paths.tools, 'bin'), process.env.PATH ?? '', '/usr/sbin', '/sbin',
].join(':');
