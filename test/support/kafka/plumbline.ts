import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { SHARDS } from './cluster.ts'

const MAIN = fileURLToPath(new URL('../../../services/cli/src/main.ts', import.meta.url))
/** Of the deployments that operators' commands are tested with. */
export const MASTER_KEY = Buffer.alloc(32, 9)

export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** `plumbline …` as an operator runs it: a process of its own, told of the deployment by the environment of its services. */
export const plumbline = (
  brokers: readonly string[],
  prefix: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Ran> =>
  new Promise((resolve) => {
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLUMBLINE_'))),
      PLUMBLINE_KAFKA_BROKERS: brokers.join(','),
      PLUMBLINE_KAFKA_PREFIX: prefix,
      PLUMBLINE_SHARDS: String(SHARDS),
      PLUMBLINE_MASTER_KEY: MASTER_KEY.toString('hex'),
      // Of a service in the same environment, and nobody else's business.
      PLUMBLINE_METRICS_PORT: '7071',
      ...more,
    }
    execFile(process.execPath, [MAIN, ...args], { env, maxBuffer: 1 << 28 }, (error, out, err) =>
      resolve({ status: error === null ? 0 : Number(error.code), out, err }),
    )
  })
