import { closeSync, existsSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { eventKey, type LogRecord, shardOfKey } from '@plumbline/detector'
import { type GenerateOptions, generateNdjson } from '@plumbline/generator'
import { CACHE, hashOf, sourceHash } from './paths.ts'

/** Generated events as bytes, one line each, as they would come out of the log. */
export interface Corpus {
  readonly bytes: Buffer
  readonly count: number
  /** Where event i begins; it ends one byte before event i + 1 begins. */
  readonly starts: Float64Array
  readonly times: Float64Array
  readonly identities: readonly string[]
  readonly identityOf: Uint32Array
}

/** Events of a generated company. Made once per set of options and generator, then read from the cache. */
export const corpusOf = (options: GenerateOptions): Corpus => {
  const path = join(CACHE, `corpus-${hashOf(options, sourceHash('packages/generator/src'))}.ndjson`)
  if (!existsSync(path)) {
    process.stderr.write('generating events …\n')
    const file = openSync(`${path}.part`, 'w')
    generateNdjson(options, (chunk) => writeSync(file, chunk))
    closeSync(file)
    renameSync(`${path}.part`, path)
  }
  return indexCorpus(readFileSync(path))
}

export const indexCorpus = (bytes: Buffer): Corpus => {
  const starts: number[] = [0]
  for (let i = bytes.indexOf(10); i >= 0; i = bytes.indexOf(10, i + 1)) starts.push(i + 1)
  const count = starts.length - 1
  const times = new Float64Array(count)
  const identityOf = new Uint32Array(count)
  const numbers = new Map<string, number>()
  for (let i = 0; i < count; i++) {
    const event = JSON.parse(bytes.toString('utf8', starts[i], starts[i + 1]! - 1)) as { time: number; identity: { id: string } }
    times[i] = event.time
    const { id } = event.identity
    if (!numbers.has(id)) numbers.set(id, numbers.size)
    identityOf[i] = numbers.get(id)!
  }
  return { bytes, count, starts: Float64Array.from(starts), times, identities: [...numbers.keys()], identityOf }
}

export const eventBytes = (corpus: Corpus, i: number): Buffer => corpus.bytes.subarray(corpus.starts[i]!, corpus.starts[i + 1]! - 1)

/** Turns events into log records, shard by shard, as the log would hand them over. Arrival = event time (contracts C2). */
export class Recorder {
  readonly #next: number[]
  readonly #keys: { readonly key: Uint8Array; readonly shard: number }[]
  readonly #corpus: Corpus
  readonly shards: number
  #nowMs = 0

  constructor(corpus: Corpus, shards: number) {
    this.#corpus = corpus
    this.shards = shards
    this.#next = new Array<number>(shards).fill(0)
    this.#keys = corpus.identities.map((id) => {
      const key = eventKey('default', id)
      return { key, shard: shardOfKey(key, shards) }
    })
  }

  /** Records of events from..to, per shard; `bytesOf` may stand in other bytes of the same event. */
  take(from: number, to: number, bytesOf = (i: number): Buffer => eventBytes(this.#corpus, i)): LogRecord[][] {
    const out: LogRecord[][] = Array.from({ length: this.shards }, () => [])
    for (let i = from; i < to; i++) {
      const { key, shard } = this.#keys[this.#corpus.identityOf[i]!]!
      this.#nowMs = Math.max(this.#nowMs, this.#corpus.times[i]!)
      out[shard]!.push({ offset: this.#next[shard]!++, ingestTimeMs: this.#nowMs, key, value: bytesOf(i) })
    }
    return out
  }

  /** A control record for every shard. */
  control(controlId: string, value: object): LogRecord[][] {
    const bytes = Buffer.from(JSON.stringify(value))
    const key = Buffer.from(`c:${controlId}`)
    return this.#next.map((_n, shard) => [{ offset: this.#next[shard]!++, ingestTimeMs: this.#nowMs, key, value: bytes }])
  }
}
