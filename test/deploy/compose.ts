import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
// @ts-expect-error -- a script, not a package with types
import { makeEnv } from '../../scripts/make-env.mjs'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

export interface ComposeService {
  readonly image: string
  readonly build?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly networks?: readonly string[]
  readonly user?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly deploy?: {
    readonly replicas?: number
    readonly resources?: { readonly limits?: { readonly cpus?: string; readonly memory?: string } }
  }
  readonly [other: string]: unknown
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly [other: string]: unknown
}

/** The file as it stands, variables unresolved. */
export const composeText = (): string => read('docker-compose.yml')

const VARIABLE = /\$\{([A-Z_]+)(?::([-?])([^}]*))?\}/g

/** Names of the variables that a text asks for; `needed`: those it refuses to do without. */
export const variablesOf = (text: string): { readonly all: Set<string>; readonly needed: Set<string> } => {
  const found = [...text.matchAll(VARIABLE)]
  return {
    all: new Set(found.map(([, name = '']) => name)),
    needed: new Set(found.filter(([, , kind]) => kind === '?').map(([, name = '']) => name)),
  }
}

const resolved = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replace(VARIABLE, (_all, name: string, kind: string | undefined, rest = '') => {
    const value = env[name] ?? ''
    if (value !== '') return value
    if (kind === '?') throw new Error(`${name} is not set: ${rest}`)
    return kind === '-' ? rest : ''
  })

/** The `.env` that the script makes, as variables. */
export const madeEnv = (): Record<string, string> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-env-'))
  try {
    ;(makeEnv as (target: string) => void)(join(dir, '.env'))
    const lines = readFileSync(join(dir, '.env'), 'utf8').split('\n')
    return Object.fromEntries(
      lines.filter((line) => /^[A-Z_]+=/.test(line)).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** The file with merges done and variables filled in, as the engine would see it. */
export const compose = (env: Readonly<Record<string, string>> = madeEnv()): ComposeFile =>
  parse(resolved(composeText(), env), { merge: true }) as ComposeFile
