// The arrows of the workspace (docs/adr/0001, CONTRIBUTING.md): services -> {adapters, training, runtime, generator} -> detector -> schemas.
// Sideways imports between stages, adapters and services are errors. Types count as imports.
const error = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to })

const TEST = '\\.test\\.ts$'
const LIBRARIES = 'adapters|training|runtime|generator'

module.exports = {
  forbidden: [
    error(
      'no-cycle',
      'Modules that need each other at run time are one module; a cycle of types alone is none.',
      {},
      {
        circular: true,
        viaOnly: { dependencyTypesNot: ['type-only'] },
      },
    ),
    error('no-unresolved', 'An import that cannot be found.', {}, { couldNotResolve: true }),

    error(
      'schemas-stand-alone',
      'Contracts import zod and each other only.',
      { path: '^schemas/src', pathNot: TEST },
      {
        pathNot: ['^schemas/', 'node_modules/(.pnpm/)?zod'],
      },
    ),
    error(
      'detector-is-pure',
      'The detector imports schemas, node:crypto and node:buffer only: no I/O, no clock.',
      { path: '^packages/detector/src', pathNot: TEST },
      {
        pathNot: ['^packages/detector/src', '^schemas/src', '^(node:)?(crypto|buffer)$'],
      },
    ),
    error(
      'libraries-know-no-service',
      'Arrows point from services to packages.',
      { path: '^(packages|schemas)/', pathNot: TEST },
      {
        path: '^(services|bench|test)/',
      },
    ),
    error(
      'generator-shares-nothing-with-the-detector',
      'Attacks must not know what they are judged by.',
      { path: '^packages/generator/src', pathNot: TEST },
      {
        path: '^packages/detector/',
      },
    ),
    error(
      'libraries-are-islands',
      'A library package imports detector and schemas, not its neighbours.',
      { path: `^packages/(${LIBRARIES})/src`, pathNot: TEST },
      {
        path: `^packages/(${LIBRARIES})/`,
        pathNot: '^packages/$1/',
      },
    ),
    error(
      'adapters-are-islands',
      'Each adapter folder stands alone.',
      { path: '^packages/adapters/src/([^/]+)/', pathNot: TEST },
      {
        path: '^packages/adapters/src/',
        pathNot: '^packages/adapters/src/$1/',
      },
    ),
    error(
      'stages-are-islands',
      'A stage runs its own folder; the pipeline joins them. It may name the types of others.',
      { path: '^packages/detector/src/(\\d-[^/]+)/', pathNot: TEST },
      {
        path: '^packages/detector/src/\\d-',
        pathNot: '^packages/detector/src/$1/',
        dependencyTypesNot: ['type-only'],
      },
    ),
    error(
      'services-are-islands',
      'Services meet on topics and tables; only standalone and the CLI put them together.',
      {
        path: '^services/([^/]+)/',
        pathNot: ['^services/(standalone|cli)/', TEST],
      },
      { path: '^services/', pathNot: '^services/$1/' },
    ),
    error('nothing-imports-the-cli', 'The CLI is an end.', { path: '^services/', pathNot: '^services/cli/' }, { path: '^services/cli/' }),
    error('nothing-imports-tests', 'Tests are leaves; shared helpers do not end in .test.ts.', {}, { path: TEST }),
    error(
      'only-test-helpers-in-tests',
      'Product code does not import test helpers.',
      { path: '^(schemas|packages|services)/', pathNot: [TEST, '/testing/', '/test/'] },
      {
        path: ['^test/', '/testing/'],
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['node_modules/(?!@plumbline)', '/assembly/', '^services/console/(web|dist)/', '/dist/', '/\\.cache/', '/dist-web/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
    skipAnalysisNotInRules: true,
  },
}
