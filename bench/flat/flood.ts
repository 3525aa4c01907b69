import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import type { ChunkCommit, LogRecord } from '@plumbline/detector'
import { scoredRows } from '@plumbline/detector/replay'
import { corpusOf, type Corpus } from '../lib/corpus.ts'
import { openDetector } from '../lib/drive.ts'
import { settledMemory } from '../lib/machine.ts'
import { releaseOf, type TrainedRelease } from '../lib/release.ts'
import { copyRecord } from './copies.ts'
import { CORPUS, type Part, WARM } from './growth.ts'

const CAP = 100_000
const NEW_IDENTITIES = 1_000_000
const KNOWN_EVENTS = 20_000
/** Larger than a worker takes: a million strangers are a million slots to store, and this measures memory. */
const CHUNK = 5_000
/** Bytes a resident identity may take, from the bar on memory. */
const PER_IDENTITY = 4.6 * 1024

interface Run {
  /** Hash over identity, event and score of every event of a known identity, in order. */
  readonly scores: string
  readonly known: number
  readonly before: number
  /** Highest settled memory during the run. */
  readonly most: number
  readonly resident: number
  readonly evictions: number
  readonly loads: number
  readonly seconds: number
  readonly usPerEvent: number
}

/** An event of an identity nobody has seen before nor sees again. */
const stranger = (corpus: Corpus, i: number, n: number): LogRecord => {
  const record = copyRecord(corpus, i, 999, 0)
  const name = `flood-${n}`
  const value = Buffer.from(
    record.value
      .toString()
      .replace(/("identity":\{"id":")[^"]*/, `$1${name}`)
      .replace(/"id":"[^"]*"/, `"id":"f${n}"`),
  )
  return { ...record, key: Buffer.from(`e:default|${name}`), value }
}

/** The known identities' events with so many strangers between each two of them, through an LMDB-backed store under the cap. */
const live = async (corpus: Corpus, release: TrainedRelease, strangersBetween: number): Promise<Run> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-flood-'))
  const log = await openEmbeddedLog({ dir, shards: 1 })
  try {
    await log.acquire(0)
    const detector = openDetector(1, [release], CAP, log)
    let offset = 0
    let batch: LogRecord[] = []
    const scores = createHash('sha256')
    let known = 0
    let busy = 0
    let most = 0
    const judge = (commit: ChunkCommit): void => {
      if (commit.deadLetters.length > 0) throw new Error(`refused: ${JSON.stringify(commit.deadLetters[0])}`)
      if (commit.scored === null) return
      for (const row of scoredRows(commit.scored.bytes)) {
        if (row.identity.startsWith('flood-')) continue
        known++
        scores.update(`${row.identity} ${(row as { event_id?: string }).event_id} ${row.score} ${row.flags & ~1}\n`)
      }
    }
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return
      // The log gives offsets without gaps to one writer: these are the ones the records already carry.
      await log.append(batch.map(({ ingestTimeMs, key, value }) => ({ shard: 0, ingestTimeMs, key, value })))
      const t = process.threadCpuUsage()
      const commit = detector.process(0, batch)
      await log.commit([commit])
      detector.settle(0)
      const used = process.threadCpuUsage(t)
      busy += used.user + used.system
      judge(commit)
      batch = []
    }
    const put = async (record: LogRecord): Promise<void> => {
      batch.push({ ...record, offset: offset++ })
      if (batch.length >= CHUNK) await flush()
    }
    for (let i = 0; i < WARM; i++) await put(copyRecord(corpus, i, 0, 0))
    await put({
      offset: 0,
      ingestTimeMs: corpus.times[WARM - 1]!,
      key: Buffer.from(`c:${release.control.controlId}`),
      value: Buffer.from(JSON.stringify(release.control)),
    })
    await flush()
    const before = settledMemory()
    const anonymous = (m: { rss: number; anonymous: number }): number => (m.anonymous > 0 ? m.anonymous : m.rss)
    known = 0
    busy = 0
    const started = performance.now()
    const first = offset
    let strangers = 0
    for (let i = 0; i < KNOWN_EVENTS; i++) {
      await put(copyRecord(corpus, WARM + i, 0, 0))
      for (let k = 0; k < strangersBetween; k++) await put(stranger(corpus, WARM + i, strangers++))
      if (i % 2_000 === 1_999) most = Math.max(most, anonymous(settledMemory()))
    }
    await flush()
    most = Math.max(most, anonymous(settledMemory()))
    const { resident, evictions, loads } = detector.slots
    return {
      scores: scores.digest('hex'),
      known,
      before: anonymous(before),
      most,
      resident,
      evictions,
      loads,
      seconds: (performance.now() - started) / 1000,
      usPerEvent: busy / (offset - first),
    }
  } finally {
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

export const flood = async (): Promise<Part> => {
  const corpus = corpusOf(CORPUS)
  const release = await releaseOf(corpus, WARM)
  process.stderr.write('without a flood …\n')
  const calm = await live(corpus, release, 0)
  process.stderr.write(`with ${NEW_IDENTITIES} strangers …\n`)
  const flooded = await live(corpus, release, NEW_IDENTITIES / KNOWN_EVENTS)
  const allowed = CAP * PER_IDENTITY
  const grew = flooded.most - calm.most
  const same = calm.scores === flooded.scores && calm.known === KNOWN_EVENTS && flooded.known === KNOWN_EVENTS
  const mib = (bytes: number): number => Math.round(bytes / 2 ** 20)
  return {
    how: [
      `Flood: a detector with room for ${CAP} identities over the shipped LMDB store, ${corpus.identities.length} known identities with ${WARM} events of history; then ${KNOWN_EVENTS} more of their events, once alone and once with ${NEW_IDENTITIES} events of as many identities never seen before between them (one event each). Memory is what is not backed by a file (the store's map is page cache), after a full collection.`,
    ],
    values: { calm, flooded },
    bars: [
      {
        what: `growth of memory under a flood of ${NEW_IDENTITIES} identities, against a cap of ${CAP} × 4.6 KB`,
        measured: mib(grew),
        bar: mib(allowed),
        atLeast: false,
        unit: 'MiB',
        digits: 0,
      },
      { what: 'identities resident after it', measured: flooded.resident, bar: CAP, atLeast: false, unit: '', digits: 0 },
      {
        what: 'scores of the known identities equal to those without a flood, bit for bit',
        measured: same ? 1 : 0,
        bar: 1,
        atLeast: true,
        unit: 'of 1',
        digits: 0,
      },
    ],
    tables: [
      {
        title: 'Flood',
        columns: [
          'run',
          'events of known identities',
          'memory, MiB',
          'resident',
          'evicted',
          'brought back',
          'µs per event with the commit',
          'seconds',
        ],
        rows: [
          [
            'alone',
            calm.known,
            mib(calm.most),
            calm.resident,
            calm.evictions,
            calm.loads,
            calm.usPerEvent.toFixed(1),
            Math.round(calm.seconds),
          ],
          [
            'flooded',
            flooded.known,
            mib(flooded.most),
            flooded.resident,
            flooded.evictions,
            flooded.loads,
            flooded.usPerEvent.toFixed(1),
            Math.round(flooded.seconds),
          ],
        ],
      },
    ],
  }
}
