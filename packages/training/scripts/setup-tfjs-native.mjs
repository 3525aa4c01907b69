#!/usr/bin/env node
// Makes @tensorflow/tfjs-node whole without its own installer, which downloads from outside the package registries.
// Opt-in: about 1 GB on disk; training works without it on the WebAssembly backend.
//   node packages/training/scripts/setup-tfjs-native.mjs [--check]
// Takes TensorFlow's C library and headers from the PyPI wheel of tensorflow-cpu (or, without pip, from its Maven artifact)
// and compiles the package's own binding with g++. Registries are found by pip, mvn and npm themselves.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const WHEEL = 'tensorflow-cpu==2.15.1'
const WHEEL_PYTHON = '311'
const JAR = 'org.tensorflow:tensorflow-core-native:1.2.0:jar:linux-x86_64'
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']

const has = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0
const run = (command, args, options = {}) => {
  console.error(`$ ${command} ${args.join(' ')}`)
  execFileSync(command, args, { stdio: ['ignore', 2, 2], ...options })
}
const stop = (message) => {
  console.error(message)
  process.exit(1)
}

/** Folder of the installed package, wherever the package manager put it. */
const packageFolder = () => {
  try {
    return realpathSync(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json')))
  } catch {
    return stop('@tensorflow/tfjs-node is not installed. Run the install first.')
  }
}

const bindingFile = (folder) => join(folder, 'lib', 'napi-v8', 'tfjs_binding.node')

/** Loads the binding in a process of its own: it maps hundreds of megabytes and may not fit this machine. */
const works = () => {
  const code = `import { chooseBackend } from '${new URL('../src/backend.ts', import.meta.url).href}'; console.log((await chooseBackend()).name)`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
  return child.status === 0 && child.stdout.trim() === 'native'
}

const unpack = (archive, into) => {
  if (has('unzip', '-v')) run('unzip', ['-q', archive, '-d', into])
  else run('python3', ['-m', 'zipfile', '-e', archive, into])
}

/** Fetches and unpacks TensorFlow into `work`. */
const fetchTensorFlow = (work) => {
  const pip = ['pip3', 'pip'].find((command) => has(command, '--version'))
  const unpacked = join(work, 'tensorflow')
  mkdirSync(unpacked)
  if (pip) {
    const pick = [
      '--no-deps',
      '--only-binary=:all:',
      '--implementation',
      'cp',
      '--python-version',
      WHEEL_PYTHON,
      '--platform',
      'manylinux2014_x86_64',
    ]
    run(pip, ['download', '--quiet', ...pick, '--dest', work, WHEEL])
    unpack(
      join(
        work,
        readdirSync(work).find((f) => f.endsWith('.whl')),
      ),
      unpacked,
    )
  } else if (has('mvn', '--version')) {
    run('mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=${JAR}`, `-DoutputDirectory=${work}`], { cwd: work })
    unpack(
      join(
        work,
        readdirSync(work).find((f) => f.endsWith('.jar')),
      ),
      unpacked,
    )
  } else stop('Neither pip nor mvn is here to fetch TensorFlow with.')
  return unpacked
}

const findOne = (folder, pattern) => {
  const [found] = globSync(pattern, { cwd: folder })
  return found === undefined ? stop(`${pattern} is not in what was downloaded.`) : join(folder, found)
}

const install = (folder, work) => {
  const tensorflow = fetchTensorFlow(work)
  const libraries = join(folder, 'deps', 'lib')
  mkdirSync(libraries, { recursive: true })
  for (const name of LIBRARIES) cpSync(findOne(tensorflow, `**/${name}`), join(libraries, name), { dereference: true })
  const include = dirname(dirname(dirname(findOne(tensorflow, '**/tensorflow/c/c_api.h'))))
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', work, 'node-api-headers@1'])
  const binding = bindingFile(folder)
  mkdirSync(dirname(binding), { recursive: true })
  const defines = ['-DNAPI_VERSION=8', '-DNODE_GYP_MODULE_NAME=tfjs_binding', '-DBUILDING_NODE_EXTENSION']
  const headers = ['-I', include, '-I', join(work, 'node_modules', 'node-api-headers', 'include')]
  const link = ['-L', libraries, ...LIBRARIES.map((name) => `-l:${name}`), '-Wl,-rpath,$ORIGIN/../../deps/lib']
  const sources = ['binding/tfjs_backend.cc', 'binding/tfjs_binding.cc']
  run('g++', ['-shared', '-fPIC', '-O2', '-std=c++17', ...defines, ...headers, ...sources, ...link, '-o', binding], { cwd: folder })
}

if (process.platform !== 'linux' || process.arch !== 'x64') stop('Only Linux on x64 is covered. Training runs on the WebAssembly backend.')
const folder = packageFolder()
if (works()) {
  console.log('The native library is in place and works.')
} else if (process.argv.includes('--check')) {
  stop(existsSync(bindingFile(folder)) ? 'The native library is in place but does not load.' : 'The native library is not in place.')
} else {
  if (!has('g++', '--version')) stop('A C++ compiler (g++) is needed.')
  const work = mkdtempSync(join(tmpdir(), 'plumbline-tfjs-'))
  try {
    install(folder, work)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  if (!works()) stop('The native library was built but does not load. Training goes on with the WebAssembly backend.')
  console.log('The native library is in place and works.')
}
