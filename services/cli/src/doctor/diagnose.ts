import { checkDeployment } from './deployment.ts'
import { checkClickHouse, checkEngine, checkKafka, checkLog, checkTraining } from './parts.ts'
import { checkClock, checkDataDir, checkDisk, checkFiles, checkMemory, checkNode, checkPort } from './machine.ts'

export interface Finding {
  readonly name: string
  /** `warn`: it runs, with something missing. `fail`: it does not run as configured. */
  readonly status: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** What to do about it; absent when all is well. */
  readonly fix?: string
}

export interface DoctorOptions {
  /** What reading the configuration found. */
  readonly configuration: readonly Finding[]
  readonly dataDir: string
  readonly httpPort: number
  readonly kafkaBrokers: readonly string[]
  /** The environment is that of a deployment on Kafka: its brokers and topics are looked at as its processes do. */
  readonly deployment: boolean
  readonly clickhouseUrl: string | undefined
  /** Also starts the embedded engine and the training backend, a second or two. */
  readonly deep: boolean
}

export type Check = (options: DoctorOptions) => Promise<readonly Finding[]>

const CHECKS: readonly Check[] = [
  checkNode,
  checkMemory,
  checkDisk,
  checkDataDir,
  checkFiles,
  checkClock,
  checkPort,
  checkLog,
  checkEngine,
  checkTraining,
  checkClickHouse,
  checkKafka,
  checkDeployment,
]

/** Runs every check; one that breaks is itself a finding and does not stop the others. */
export const diagnose = async (options: DoctorOptions): Promise<readonly Finding[]> => {
  const findings = [...options.configuration]
  for (const check of CHECKS) {
    try {
      findings.push(...(await check(options)))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      findings.push({
        name: check.name.replace(/^check/, '').toLowerCase(),
        status: 'fail',
        found: `the check itself failed: ${message}`,
        fix: 'report this',
      })
    }
  }
  return findings
}
