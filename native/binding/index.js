import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const build = process.env.APPSHOT_NATIVE_BUILD ?? fileURLToPath(new URL('../build', import.meta.url));

const load = () => {
  try {
    return require(`${build}/appshot.node`);
  } catch (error) {
    throw new Error(`the native core is not built in ${build}: run \`npm run setup\` (${error.message})`, { cause: error });
  }
};

/** Path of the keeper's program, built beside the binding. */
export const keeperProgram = `${build}/appshot-keeper`;
export const { KeeperConnection } = load();
