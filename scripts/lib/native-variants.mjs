import { access } from 'node:fs/promises';
import path from 'node:path';
import { paths, toolPath } from './paths.mjs';
import { runCommand } from './run-command.mjs';

const exists = (file) => access(file).then(() => true, () => false);

/** Builds one target of the native core in a build folder of its own, with these CMake settings. @returns the folder */
async function buildVariant(name, target, settings) {
  const folder = path.join(paths.build, `native-${name}`);
  await runCommand('cmake', ['-S', 'native', '-B', folder, '-G', 'Ninja', ...settings]);
  await runCommand('cmake', ['--build', folder, '--target', target, '--parallel', '2']);
  return folder;
}

/** It has libFuzzer, and compiles instrumented code in half the time of g++. */
const clang = ['-DCMAKE_C_COMPILER=clang-14', '-DCMAKE_CXX_COMPILER=clang++-14', '-DCMAKE_BUILD_TYPE='];

/** The fuzzer of the image reader. @returns its path */
export async function buildFuzzer() {
  return path.join(await buildVariant('fuzz', 'appshot-image-fuzz', ['-DAPPSHOT_FUZZ=ON', ...clang]), 'appshot-image-fuzz');
}

/** The unit tests under AddressSanitizer and UndefinedBehaviorSanitizer. @returns their path */
export async function buildSanitizedTests() {
  return path.join(await buildVariant('asan', 'appshot-core-test', ['-DAPPSHOT_SANITIZE=ON', ...clang]), 'appshot-core-test');
}

/** Whether clang 14 is installed, without which there is no fuzzer. */
export async function hasClang() {
  for (const folder of toolPath().split(':')) if (folder && await exists(path.join(folder, 'clang++-14'))) return true;
  return false;
}
