import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** What lies where in a data folder: of a standalone instance, or of the front of a deployment on Kafka. */
export const DATA_LAYOUT = {
  /** The embedded log (LMDB). */
  log: 'log',
  /** Folder of the embedded ClickHouse engine. */
  store: 'clickhouse',
  /** Master key, signing key and token, mode 0600. */
  keys: 'keys',
  /** Alerts as OCSF findings, one per line. */
  findings: 'alerts.ndjson',
  /** Id of the deployment on Kafka whose front has this folder: it is none of an embedded instance. */
  front: 'front',
  /** Written while an instance runs: how other commands on this machine reach it. */
  instance: 'instance.json',
} as const

/** How to reach the instance that runs on a data folder. Holds secrets: mode 0600. */
export const InstanceFile = z.strictObject({
  v: z.literal(1),
  pid: z.number().int().positive(),
  startedAt: z.number().int().meta({ unit: 'ms since epoch' }),
  url: z.url().meta({ description: 'Of the HTTP door and API.' }),
  token: z.string().min(1),
  operator: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Key of the operator routes, made at each start; taken from this machine only.' }),
  store: z
    .strictObject({ url: z.url(), user: z.string(), password: z.string(), database: z.string() })
    .nullable()
    .meta({ description: 'ClickHouse with a user that may only read; null while it is not up.' }),
})
export type InstanceFile = z.infer<typeof InstanceFile>

const pathIn = (dataDir: string): string => join(dataDir, DATA_LAYOUT.instance)

/** Replaces the file whole, so that nobody reads half of it. */
export const writeInstanceFile = (dataDir: string, instance: InstanceFile): void => {
  const path = pathIn(dataDir)
  writeFileSync(`${path}.new`, `${JSON.stringify(instance)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

export const removeInstanceFile = (dataDir: string): void => rmSync(pathIn(dataDir), { force: true })

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The instance that runs on this folder, or undefined: no file, not readable by us, or left behind by a process that is gone. */
export const findInstance = (dataDir: string): InstanceFile | undefined => {
  try {
    const parsed = InstanceFile.safeParse(JSON.parse(readFileSync(pathIn(dataDir), 'utf8')))
    return parsed.success && alive(parsed.data.pid) ? parsed.data : undefined
  } catch {
    return undefined
  }
}
