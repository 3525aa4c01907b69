import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { CACHE, ROOT } from '../lib/paths.ts'

export type PeerEnvironment = 'river' | 'pyod'

const libraries = [
  'usr/lib/x86_64-linux-gnu',
  'usr/lib',
  'usr/lib/x86_64-linux-gnu/blas',
  'usr/lib/x86_64-linux-gnu/lapack',
  'lib/x86_64-linux-gnu',
]

/** Makes the Python environment of a peer where there is none. Returns why it cannot be had here, or null. */
export const setup = (what: PeerEnvironment): string | null => {
  try {
    process.stderr.write(`Python environment for ${what} …\n`)
    execFileSync('bash', [join(ROOT, 'bench/peers/setup.sh'), what], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 600_000 })
    return null
  } catch {
    return what === 'river' ? 'River could not be installed (needs Python 3 and PyPI)' : 'no CPU build of torch to be had here'
  }
}

export interface PeerRun {
  readonly events_per_s: number
  readonly cpu_events_per_s?: number
  readonly fit_s?: number
}

/** Runs one of the scripts beside this file in the environment it belongs to. */
export const python = (venv: 'venv' | 'venv-pyod', script: string, args: readonly (string | number)[]): PeerRun => {
  const env: NodeJS.ProcessEnv = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' }
  if (venv === 'venv-pyod') env['LD_LIBRARY_PATH'] = libraries.map((l) => join(CACHE, 'debroot', l)).join(':')
  const out = execFileSync(join(CACHE, venv, 'bin/python'), [join(ROOT, 'bench/peers', script), ...args.map(String)], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return JSON.parse(out.trim().split('\n').at(-1)!) as PeerRun
}
