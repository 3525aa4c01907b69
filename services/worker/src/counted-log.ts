import type { ChunkCommit, LogRecord, ShardLog } from '@plumbline/detector'
import type { Metrics } from '@plumbline/runtime'

export type WorkerMetrics = Pick<
  Metrics,
  | 'plumbline_commit_seconds'
  | 'plumbline_chunk_events'
  | 'plumbline_events_read_total'
  | 'plumbline_events_scored_total'
  | 'plumbline_events_replayed_total'
  | 'plumbline_dead_letters_total'
  | 'plumbline_stage_outcomes_total'
  | 'plumbline_invariant_violations_total'
>

/** Records of a chunk that became neither a row nor a dead letter nor a control record in force. */
export interface Unaccounted {
  readonly shard: number
  /** Position after the chunk. */
  readonly nextOffset: number
  /** How many are missing; negative when there is more than was read. */
  readonly records: number
}

interface Chunk {
  readonly events: number
  readonly controls: number
}

const CONTROL = Buffer.from('c:')
const isControl = ({ key }: LogRecord): boolean => key[0] === CONTROL[0] && key[1] === CONTROL[1]

/**
 * The log as a worker sees it, with what goes through it counted once it is stored: a chunk that has to be done again counts
 * once. Tells of chunks in which the numbers do not add up (INV-2), which is a bug.
 */
export const countedLog = (log: ShardLog, metrics: WorkerMetrics, onUnaccounted: (found: Unaccounted) => void): ShardLog => {
  /** What was last read of each shard: between a read and its commit a worker reads nothing else of it. */
  const chunks = new Map<number, Chunk>()

  const note = ({ shard, nextOffset, scored, deadLetters }: ChunkCommit): void => {
    const { events, controls } = chunks.get(shard) ?? { events: 0, controls: 0 }
    const rows = scored?.rows ?? 0
    const rest = events + controls - rows - deadLetters.length
    const missing = rest < 0 ? rest : Math.max(0, rest - controls)
    if (missing !== 0) {
      metrics.plumbline_invariant_violations_total.inc({ invariant: 'INV-2' })
      onUnaccounted({ shard, nextOffset, records: missing })
    }
    metrics.plumbline_events_read_total.inc({ kind: 'event' }, events)
    metrics.plumbline_events_read_total.inc({ kind: 'control' }, controls)
    metrics.plumbline_events_scored_total.inc(rows)
    metrics.plumbline_chunk_events.observe(rows)
    for (const { stage, code } of deadLetters) metrics.plumbline_dead_letters_total.inc({ stage, code })
    const refusedBy = (stage: string): number => deadLetters.filter((letter) => letter.stage === stage).length
    const outcome = (stage: string, name: string, count: number): void =>
      metrics.plumbline_stage_outcomes_total.inc({ stage, outcome: name }, count)
    outcome('decode', 'pass', rows + refusedBy('identify'))
    outcome('decode', 'reject', refusedBy('decode'))
    outcome('decode', 'divert', Math.max(0, Math.min(rest, controls)))
    outcome('identify', 'pass', rows)
    outcome('identify', 'reject', refusedBy('identify'))
    outcome('score', 'pass', rows)
  }

  const replay = (commit: ChunkCommit): void => {
    log.replay?.(commit)
    metrics.plumbline_events_replayed_total.inc((commit.scored?.rows ?? 0) + commit.deadLetters.length)
  }

  return {
    ...(log.replay === undefined ? {} : { replay }),
    load: (...args) => log.load(...args),
    acquire: (shard) => log.acquire(shard),
    async read(shard, fromOffset, maxRecords) {
      const records = await log.read(shard, fromOffset, maxRecords)
      const controls = records.filter(isControl).length
      chunks.set(shard, { events: records.length - controls, controls })
      return records
    },
    async commit(commits) {
      const stop = metrics.plumbline_commit_seconds.startTimer()
      await log.commit(commits)
      stop()
      commits.forEach(note)
    },
  }
}
