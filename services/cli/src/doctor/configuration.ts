import { ConfigError, type ConfigSources } from '@plumbline/runtime'
import { loadStandaloneConfig, type StandaloneConfig } from '@plumbline/standalone/config'
import type { Finding } from './diagnose.ts'

export interface Configuration {
  readonly config: StandaloneConfig
  readonly findings: readonly Finding[]
}

const name = 'configuration'

const remedy = (where: string, isVariable: boolean, file: string | undefined): string => {
  if (isVariable) return `correct or unset ${where}`
  return where === file ? 'check the path, and that it is YAML or JSON' : `correct ${where} in ${file}`
}

/**
 * The options as `up` would read them. What is wrong becomes a finding and is left out, so that the rest is checked all the same.
 * Throws ConfigError for flags that are wrong.
 */
export const readConfiguration = (sources: ConfigSources): Configuration => {
  try {
    const { config } = loadStandaloneConfig(sources)
    return { config, findings: [{ name, status: 'ok', found: sources.file === undefined ? 'valid' : `valid, with ${sources.file}` }] }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const given = sources.env ?? {}
    const wrong = new Set(error.problems.map(({ where }) => where))
    const env = Object.fromEntries(Object.entries(given).filter(([variable]) => !wrong.has(variable)))
    const inFile = sources.file !== undefined && error.problems.some(({ where }) => given[where] === undefined)
    if (!inFile && Object.keys(env).length === Object.keys(given).length) throw error
    const rest = readConfiguration({ ...sources, env, ...(inFile ? { file: undefined } : {}) })
    const findings = error.problems.map(
      ({ where, message }): Finding => ({
        name,
        status: 'fail',
        found: `${where}: ${message}`,
        fix: `${remedy(where, given[where] !== undefined, sources.file)}; docs/config.md has every option`,
      }),
    )
    return { config: rest.config, findings: [...findings, ...rest.findings.filter(({ status }) => status === 'fail')] }
  }
}
