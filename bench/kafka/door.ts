import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Corpus, eventBytes } from '../lib/corpus.ts'
import type { TrainedRelease } from '../lib/release.ts'
import { type BenchBroker, benchPrefix, removeTopics } from './broker.ts'
import { startChild } from './child.ts'
import { ensureBenchTopics } from './topics.ts'
import { deploymentOf, giveRelease } from './worker.ts'

const SHARDS = 8
const EVENTS = 60_000
const BATCH = 1_000
const CONNECTIONS = 4
const TOKEN = 'bench-token-of-the-door'
const START_MS = 60_000

export interface Door {
  readonly perSecond: number
  /** Processor time of the front per event, µs, its start left out. */
  readonly cpuMicros: number
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const bodiesOf = (corpus: Corpus): Buffer[] =>
  Array.from({ length: EVENTS / BATCH }, (_, n) =>
    Buffer.concat(Array.from({ length: BATCH }, (_, i) => [eventBytes(corpus, n * BATCH + i), Buffer.from('\n')]).flat()),
  )

const untilReady = async (url: string): Promise<void> => {
  for (const until = performance.now() + START_MS; performance.now() < until; await sleep(100)) {
    const answer = await fetch(`${url}/readyz`).catch(() => null)
    if (answer?.ok === true) return
  }
  throw new Error('The front was not ready within a minute.')
}

/** Posts each body once; a door that is asked to wait is waited for. */
const postAll = async (url: string, bodies: readonly Buffer[]): Promise<void> => {
  let next = 0
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-ndjson' }
  const lane = async (): Promise<void> => {
    while (next < bodies.length) {
      const body = bodies[next++]!
      for (;;) {
        const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers, body: new Uint8Array(body) })
        const text = await answer.text()
        if (answer.status === 202) break
        if (answer.status !== 503) throw new Error(`${answer.status}: ${text.slice(0, 300)}`)
        await sleep(100)
      }
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, lane))
}

/** HTTP in to events durable in Kafka, through the front alone: no worker, no ClickHouse. */
export const doorCost = async (broker: BenchBroker, corpus: Corpus, release: TrainedRelease): Promise<Door> => {
  process.stderr.write('the door …\n')
  const prefix = benchPrefix()
  await ensureBenchTopics(broker, prefix, SHARDS)
  await giveRelease(broker, prefix, SHARDS, release)
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-bench-front-'))
  const port = await freePort()
  const front = startChild('services/cli/src/main.ts', ['front'], {
    ...deploymentOf(broker, prefix, SHARDS),
    // Nothing listens there: the door takes events without a store.
    CLICKHOUSE_URL: 'http://127.0.0.1:9',
    PLUMBLINE_HTTP_PORT: String(port),
    PLUMBLINE_DATA_DIR: dir,
    PLUMBLINE_TOKEN: TOKEN,
    PLUMBLINE_POLICY_FILE: join(dir, 'none.yaml'),
  })
  const url = `http://127.0.0.1:${port}`
  await untilReady(url)
  const bodies = bodiesOf(corpus)
  const before = front.cpuSeconds()
  const begun = performance.now()
  await postAll(url, bodies)
  const seconds = (performance.now() - begun) / 1000
  const cpu = front.cpuSeconds() - before
  await front.stop()
  rmSync(dir, { recursive: true, force: true })
  await removeTopics(broker.admin, prefix)
  return { perSecond: EVENTS / seconds, cpuMicros: (cpu * 1e6) / EVENTS }
}
