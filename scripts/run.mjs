// The commands of package.json: `node scripts/run.mjs <target> [arguments]`, each under Node 24 with everything installed.
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BootstrapError, bootstrap, guarded, ROOT } from './bootstrap.mjs'
import { buildPage, showsPage } from './page.mjs'
import { findTests } from './tests.mjs'

const at = (...parts) => join(ROOT, ...parts)
const bin = (name) => at('scripts', 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name)

/** Node's own note that sources run without a build step, or that a module is experimental, is no news to a user. */
const QUIET = ['--disable-warning=ExperimentalWarning']

/** Runs a child with this terminal; resolves with its exit code, 128 + signal number when a signal ended it. */
const exec = (ready, command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env: ready.env, cwd: ROOT, ...options })
    // A terminal's Ctrl-C reaches the child by itself, and soon after or before it comes from here: children take both for one.
    const pass = (signal) => child.kill(signal)
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of signals) process.on(signal, pass)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      for (const name of signals) process.off(name, pass)
      resolve(code ?? 128 + (constants.signals[signal] ?? 0))
    })
  })

const node = (ready, args, options) => exec(ready, ready.node, [...QUIET, ...args], options)

/** With a channel that closes when this process is killed: the child ends then, as services/cli/src/launcher.ts says. */
const service = (ready, args, options) => node(ready, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], ...options })

/** Runs steps in order up to the first that fails. */
const each = async (steps) => {
  for (const step of steps) {
    const code = await step()
    if (code !== 0) return code
  }
  return 0
}

/**
 * Runs tests with one Kafka broker for all of them, which the first that needs it starts and which ends with the run
 * (test/support/kafka). The keeper goes by its stdin: it ends the broker too when this process is killed.
 */
const withKafka = async (ready, run) => {
  const options = { cwd: ROOT, env: ready.env, stdio: ['pipe', 'pipe', 'inherit'], detached: true }
  const keeper = spawn(ready.node, [...QUIET, 'test/support/kafka/keeper.ts'], options)
  const ended = new Promise((resolve) => keeper.on('close', resolve).on('error', resolve))
  const port = await Promise.race([new Promise((resolve) => keeper.stdout.once('data', (line) => resolve(`${line}`.trim()))), ended])
  const code = await run({ ...ready.env, KAFKA_TEST_KEEPER: `${port}` })
  keeper.stdin.end()
  await ended
  return code
}

const script = (ready, path, args) => {
  if (!existsSync(at(path))) throw new BootstrapError(`${path} is not part of this checkout`)
  return node(ready, [path, ...args])
}

const TARGETS = {
  start: (ready, args) => each([() => buildPage(ready), () => service(ready, ['services/cli/src/main.ts', 'up', ...args])]),
  plumbline: (ready, args) =>
    each([
      () => (showsPage(args) ? buildPage(ready) : 0),
      () => service(ready, [at('services/cli/src/main.ts'), ...args], { cwd: process.cwd() }),
    ]),
  test: (ready, args) => {
    const { flags, files } = findTests(ROOT, args)
    if (files.length === 0) throw new BootstrapError('no test file matches')
    const concurrency = `--test-concurrency=${Math.max(2, availableParallelism() - 1)}`
    // A page that does not build fails the tests that look at it, not those that do not.
    buildPage(ready)
    const runner = ['--test', concurrency, '--test-timeout=600000', '--test-reporter=spec']
    return withKafka(ready, (env) => node(ready, [...runner, ...flags, ...files], { env }))
  },
  'test:faults': (ready, args) => script(ready, 'test/faults/run.ts', args),
  cluster: (ready, args) => script(ready, 'test/try-cluster/run.ts', args),
  bench: (ready, args) => script(ready, 'bench/main.ts', args),
  'bench:detection': (ready, args) => script(ready, 'bench/detection/scoreboard.ts', args),
  build: (ready) => buildPage(ready, { force: true }),
  types: (ready, args) => exec(ready, bin('tsc'), ['-p', 'tsconfig.json', ...args]),
  lint: (ready, args) =>
    each([
      () => exec(ready, bin('oxlint'), ['--type-aware', '--deny-warnings', ...args]),
      () => node(ready, ['scripts/check-detector.mjs']),
    ]),
  arrows: (ready, args) =>
    exec(ready, bin('depcruise'), ['--config', '.dependency-cruiser.cjs', ...args, 'schemas', 'packages', 'services', 'bench', 'test']),
  format: (ready, args) => {
    const check = args.includes('--check')
    const rest = args.filter((a) => a !== '--check')
    return exec(ready, bin('biome'), ['format', ...(check ? [] : ['--write']), ...(rest.length > 0 ? rest : ['.'])])
  },
  schemas: (ready, args) => script(ready, 'schemas/scripts/generate.ts', args),
  docs: (ready, args) => script(ready, 'docs/generate.ts', args),
  knip: (ready, args) => exec(ready, bin('knip'), args),
}

/** Installs what is missing, runs the target and takes over its exit code. */
export const runTarget = async (name, args) => {
  const target = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined
  if (target === undefined) throw new BootstrapError(`unknown target ${JSON.stringify(name)}; one of ${Object.keys(TARGETS).join(', ')}`)
  process.exitCode = await target(bootstrap(), args)
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await guarded(() => runTarget(process.argv[2] ?? '', process.argv.slice(3)))
}
