import tseslint from 'typescript-eslint';

/** What each package may import of the others; nothing else. docs/architecture.md draws it. */
const mayImport = {
  protocol: [],
  runtime: ['protocol'],
  registry: ['protocol', 'runtime'],
  gateway: ['protocol', 'runtime', 'registry'],
  scheduler: ['protocol', 'runtime', 'registry'],
  'node-agent': ['protocol', 'runtime', 'registry', 'native'],
  // The command runs each role in a process of its own, so it knows them all.
  cli: ['protocol', 'runtime', 'registry', 'gateway', 'scheduler', 'node-agent'],
};
const everyPackage = [...Object.keys(mayImport), 'native'];

const directionOf = (name, allowed) => ({
  files: [`packages/${name}/src/**/*.ts`],
  rules: {
    'no-restricted-imports': ['error', {
      patterns: [
        ...everyPackage.filter((other) => other !== name && !allowed.includes(other)).map((other) => ({
          group: [`@appshot/${other}`, `@appshot/${other}/*`],
          message: `${name} may import ${allowed.length > 0 ? allowed.join(', ') : 'no other package'} only (docs/architecture.md).`,
        })),
        { group: [`@appshot/${name}`], message: 'Inside a package, import the file.' },
        { group: ['@appshot/*/*'], message: "Import a package by its name, not one of its files." },
        { regex: String.raw`^(\.\./)+(${everyPackage.join('|')})/`, message: 'Import another package by its name.' },
      ],
    }],
  },
});

/** Policy is a function: time is an argument, and nothing is owned. */
const purePolicy = {
  files: ['packages/*/src/**/policy/**/*.ts'],
  rules: {
    'no-restricted-globals': ['error', ...['Date', 'setTimeout', 'setInterval', 'setImmediate', 'process', 'console', 'fetch', 'performance']
      .map((name) => ({ name, message: 'Policy is pure: take it as an argument.' }))],
    'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'Policy is pure: take it as an argument.' }],
  },
};

/** Tests wait with one patience: how fast the machine is must not matter. */
const patientTests = {
  files: ['packages/*/test/**/*.ts', 'test/**/*.ts'],
  rules: {
    'no-restricted-imports': ['error', {
      paths: [{ name: '@appshot/runtime', importNames: ['waitUntil'], message: "Import it from '@appshot/runtime/testing': it has a test's patience." }],
    }],
    'no-restricted-syntax': ['error', {
      selector: "CallExpression[callee.name='waitUntil'] > ObjectExpression > Property[key.name='withinMs'] > Literal",
      message: 'Leave it out: a test waits for as long as every other (patienceMs).',
    }],
  },
};

export default tseslint.config(
  { ignores: ['**/dist/**', '**/build/**', '**/node_modules/**', '.build/**', '.appshot/**'] },
  ...tseslint.configs.recommended,
  {
    rules: {
      'eqeqeq': 'error',
      'no-console': 'off',
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-throw-literal': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    rules: {
      // The house's measures, not its law.
      'max-lines': ['warn', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-params': ['warn', 4],
      // Standard output belongs to the command; every other package logs.
      'no-console': 'error',
    },
  },
  { files: ['packages/cli/src/**/*.ts'], rules: { 'no-console': 'off' } },
  ...Object.entries(mayImport).map(([name, allowed]) => directionOf(name, allowed)),
  purePolicy,
  patientTests,
);
