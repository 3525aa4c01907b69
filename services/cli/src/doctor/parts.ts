import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Check, Finding } from './diagnose.ts'

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''

const inTempDir = async <T>(work: (dir: string) => Promise<T>): Promise<T> => {
  const dir = await mkdtemp(join(tmpdir(), 'plumbline-doctor-'))
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Opens a real log and closes it again: proves that LMDB's native part loads and writes here. */
export const checkLog: Check = async () => {
  const name = 'log (lmdb)'
  try {
    const { openEmbeddedLog } = await import('@plumbline/adapters/lmdb')
    await inTempDir(async (dir) => (await openEmbeddedLog({ dir })).close())
    return [{ name, status: 'ok', found: 'opens and writes' }]
  } catch (error) {
    return [
      {
        name,
        status: 'fail',
        found: words(error),
        fix: 'remove node_modules and start again; there are builds for Linux, macOS and Windows on x64 and arm64',
      },
    ]
  }
}

const engineFinding = (clickhouseUrl: string | undefined, found: string): Finding =>
  clickhouseUrl === undefined
    ? { name: 'engine (chdb)', status: 'fail', found, fix: 'set CLICKHOUSE_URL to a ClickHouse server' }
    : { name: 'engine (chdb)', status: 'ok', found: `${found}; not needed, CLICKHOUSE_URL is set` }

/** Starts ClickHouse's own engine on an empty folder and asks it something. */
export const checkEngine: Check = async ({ clickhouseUrl, deep }) => {
  const { engineProblem, startEngine } = await import('@plumbline/adapters/clickhouse')
  const problem = engineProblem()
  if (problem !== undefined) return [engineFinding(clickhouseUrl, problem.message)]
  if (!deep) return [{ name: 'engine (chdb)', status: 'ok', found: 'installed, not started' }]
  try {
    return await inTempDir(async (dir) => {
      const startedAt = performance.now()
      const engine = await startEngine({ dir })
      await engine.stop()
      return [{ name: 'engine (chdb)', status: 'ok', found: `answered and stopped within ${Math.round(performance.now() - startedAt)} ms` }]
    })
  } catch (error) {
    return [engineFinding(clickhouseUrl, words(error))]
  }
}

export const checkTraining: Check = async ({ deep }) => {
  if (!deep) return []
  const name = 'training (TensorFlow.js)'
  const { chooseBackend } = await import('@plumbline/training')
  const backend = await chooseBackend()
  if (backend.name === 'native') return [{ name, status: 'ok', found: 'native library' }]
  if (backend.name === 'wasm') return [{ name, status: 'ok', found: 'WebAssembly backend, as fast as the native one on nets of this size' }]
  return [
    {
      name,
      status: 'warn',
      found: 'plain JavaScript backend: training takes about 8 times as long',
      fix: 'remove node_modules and start again',
    },
  ]
}

export const checkClickHouse: Check = async ({ clickhouseUrl }) => {
  if (clickhouseUrl === undefined || clickhouseUrl === '') return []
  const fix = 'check CLICKHOUSE_URL (http://user:password@host:8123), the firewall and the server'
  try {
    const { connect: open } = await import('@plumbline/adapters/clickhouse')
    const store = open({ url: clickhouseUrl, database: 'default', timeoutMs: 5000 })
    try {
      const [row] = await store.rows<{ version: string }>('SELECT version() AS version')
      return [{ name: 'ClickHouse', status: 'ok', found: `version ${row?.version ?? 'unknown'}` }]
    } finally {
      await store.close()
    }
  } catch (error) {
    return [{ name: 'ClickHouse', status: 'fail', found: words(error), fix }]
  }
}

/** One API-versions question per broker: only a Kafka answers it with its own correlation id. */
const askBroker = (broker: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const [host = '', port = '9092'] = broker.split(/:(?=\d+$)/)
    const socket = connect({ host, port: Number(port), timeout: 3000 })
    const end = (problem: string | undefined): void => {
      socket.destroy()
      resolve(problem)
    }
    const request = Buffer.from([0, 0, 0, 12, 0, 18, 0, 0, 0x50, 0x4c, 0x55, 0x4d, 0, 2, 0x70, 0x6c])
    socket.once('connect', () => socket.write(request))
    socket.once('data', (answer) =>
      end(answer.length >= 8 && answer.readUInt32BE(4) === 0x504c554d ? undefined : 'something that is not Kafka answers'),
    )
    socket.once('timeout', () => end('no answer within 3 s'))
    socket.once('close', () => end('the connection was closed'))
    socket.once('error', (error) => end(words(error)))
  })

export const checkKafka: Check = async ({ kafkaBrokers }) => {
  const findings: Finding[] = []
  for (const broker of kafkaBrokers) {
    const problem = await askBroker(broker)
    const name = `Kafka ${broker}`
    findings.push(
      problem === undefined
        ? { name, status: 'ok', found: 'answers' }
        : { name, status: 'fail', found: problem, fix: 'check KAFKA_BROKERS, the listeners of the broker and the firewall' },
    )
  }
  return findings
}
