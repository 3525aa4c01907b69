import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KAFKA_VERSION, NoBroker, POM } from './broker.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** Where the jars of Kafka are, once `fetchJars` has brought them. */
export const JARS = join(ROOT, '.tools', `kafka-${KAFKA_VERSION}`)
const OLDEST_JAVA = 17

export const java = (): string => (process.env['JAVA_HOME'] === undefined ? 'java' : join(process.env['JAVA_HOME'], 'bin', 'java'))

/** Throws NoBroker where there is no Java that can run Kafka. */
export const checkJava = (): void => {
  const { stderr, error } = spawnSync(java(), ['-version'], { encoding: 'utf8' })
  const major = Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0)
  if (error !== undefined || major === 0) throw new NoBroker(`no Java ${OLDEST_JAVA} or newer on this machine`)
  if (major < OLDEST_JAVA) throw new NoBroker(`Java ${major} is here, Kafka ${KAFKA_VERSION} needs ${OLDEST_JAVA} or newer`)
}

/** Fetches the jars once, into a staging folder that is renamed when it is whole: several runs may do this at the same time. */
export const fetchJars = (): void => {
  if (existsSync(JARS)) return
  mkdirSync(join(ROOT, '.tools'), { recursive: true })
  const staging = mkdtempSync(join(ROOT, '.tools', 'staging-kafka-'))
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${staging}`]
  const { status, error, stdout } = spawnSync('mvn', ['-q', '-B', '-f', POM, ...goal], { encoding: 'utf8', timeout: 300_000 })
  if (status === 0 && existsSync(join(staging, `kafka_2.13-${KAFKA_VERSION}.jar`))) {
    try {
      renameSync(staging, JARS)
      return
    } catch (cause) {
      if (!existsSync(JARS)) throw cause
    }
  }
  rmSync(staging, { recursive: true, force: true })
  if (existsSync(JARS)) return
  if (error !== undefined) throw new NoBroker(`Maven (mvn) is needed once to fetch Kafka ${KAFKA_VERSION}: ${error.message}`)
  throw new NoBroker(`Maven could not fetch Kafka ${KAFKA_VERSION}: ${stdout.trim().split('\n')[0] ?? ''}`)
}
