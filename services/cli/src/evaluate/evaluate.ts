import { createHash } from 'node:crypto'
import type { FileRecord } from '@plumbline/adapters/files'
import { canonicalEvent } from '@plumbline/detector'
import { type DetectionConfig, type Event, EVENT_LIMITS, PlumblineError, SCORED_FLAGS } from '@plumbline/schemas'
import type { PolicyInUse } from '../policy/file.ts'
import type { Flushed, Instance } from './instance.ts'
import { Learner } from './learner.ts'

/** One line of the answer per line of B (contracts C9). */
export interface ScoreLine {
  readonly event: string
  readonly session: string | null
  readonly identity: string | null
  /** RFC 3339, UTC; null where the line could not be read. */
  readonly time: string | null
  /** 0 to 100; null for a line that was refused. */
  readonly score: number | null
  readonly alert: boolean
  /** Why it was refused. */
  readonly error?: string
}

export interface EvaluateOptions {
  readonly train: AsyncIterable<FileRecord>
  readonly test: AsyncIterable<FileRecord>
  /** frozen: baselines stay as they were at the end of A. online: as in production. */
  readonly learn: 'frozen' | 'online'
  readonly config: DetectionConfig
  /** In force from the first event of A on. */
  readonly policy?: PolicyInUse | undefined
  readonly write: (line: ScoreLine) => void | Promise<void>
  readonly progress?: { phase(name: string): void; at(done: number, total: number): void }
}

export interface EvaluateSummary {
  readonly train: { readonly events: number; readonly rejected: number; readonly identities: number; readonly alerts: number }
  readonly releases: readonly string[]
  readonly test: {
    readonly events: number
    readonly rejected: number
    readonly flagged: number
    readonly alerts: number
    readonly codes: Record<string, number>
  }
  readonly learn: 'frozen' | 'online'
}

/** Keys of a throw-away instance: fixed, so that the same input gives the same bytes. Nothing secret is kept under them. */
const MASTER_KEY = createHash('sha256').update('plumbline evaluate, seed 0').digest().subarray(0, 16)

/**
 * Streams A (statistics of peers are released at each doubling, as in production before the first model), trains on the
 * feature vectors as they were when scored, releases, then scores B: its first event is the first that the model scores.
 * Reads no label. Throws what the readers throw for a file as a whole.
 */
export const evaluate = async (options: EvaluateOptions): Promise<EvaluateSummary> => {
  const learner = new Learner({ config: options.config, masterKey: MASTER_KEY, trains: false, policy: options.policy })
  const { instance } = learner
  const known = await streamTrain(learner, options)
  const releases: string[] = []
  for (const tenant of learner.histories.keys()) {
    options.progress?.phase(`training ${tenant}`)
    releases.push(await learner.train(tenant))
  }
  refuseFaults(instance.flush())
  if (options.learn === 'frozen') instance.freeze()
  const test = await scoreTest(instance, options, known.sessions)
  return { train: known.counts, releases, test, learn: options.learn }
}

/** Control records of our own making must never be refused: that would be a silent evaluation of nothing. */
const refuseFaults = ({ deadLetters }: Flushed): void => {
  const [first] = deadLetters
  if (first !== undefined) throw new PlumblineError('EVALUATE_CONTROL', `the release was refused: ${first.code} ${first.message}`)
}

interface Known {
  readonly sessions: ReadonlySet<string>
  readonly counts: EvaluateSummary['train']
}

const sessionName = (event: Event): string => `${event.tenant}\u0000${event.identity.id}\u0000${event.session ?? ''}`

const streamTrain = async (learner: Learner, options: EvaluateOptions): Promise<Known> => {
  const sessions = new Set<string>()
  const counts = { events: 0, rejected: 0, alerts: 0 }
  const drain = async (): Promise<void> => {
    const flushed = await learner.step()
    counts.alerts += flushed.alerts.filter((a) => a.revision === 1).length
    counts.rejected += flushed.deadLetters.length
  }
  options.progress?.phase('learning from A')
  for await (const record of options.train) {
    if (!record.ok) {
      counts.rejected++
      continue
    }
    const { event } = record
    counts.events++
    if (event.session !== undefined) sessions.add(sessionName(event))
    learner.instance.append({ tenant: event.tenant, identity: event.identity.id, timeMs: event.time, bytes: record.canonical })
    if (learner.instance.due) await drain()
    options.progress?.at(counts.events, 0)
  }
  await drain()
  const identities = [...learner.histories.values()].reduce((sum, h) => sum + h.identities.size, 0)
  return { sessions, counts: { ...counts, identities } }
}

/** A session of A that goes on in B is another session there: no session spans both. */
const apart = (event: Event, canonical: Uint8Array, sessions: ReadonlySet<string>): Uint8Array => {
  if (event.session === undefined || !sessions.has(sessionName(event))) return canonical
  const renamed = `B ${createHash('sha256').update(event.session).digest('hex')}`.slice(0, EVENT_LIMITS.idChars)
  return canonicalEvent({ ...event, session: renamed })
}

interface Waiting {
  readonly offset: number
  readonly line: Omit<ScoreLine, 'score' | 'alert'>
}

const scoreTest = async (instance: Instance, options: EvaluateOptions, sessions: ReadonlySet<string>): Promise<EvaluateSummary['test']> => {
  const counts = { events: 0, rejected: 0, flagged: 0, alerts: 0, codes: {} as Record<string, number> }
  let waiting: Waiting[] = []
  const refuse = (line: Waiting['line'], code: string): Promise<void> | void => {
    counts.rejected++
    counts.codes[code] = (counts.codes[code] ?? 0) + 1
    return options.write({ ...line, score: null, alert: false, error: code })
  }
  const drain = async (): Promise<void> => {
    const { rows, deadLetters, alerts } = instance.flush()
    counts.alerts += alerts.filter((a) => a.revision === 1).length
    const scored = new Map(rows.map((row) => [row.offset, row]))
    const refused = new Map(deadLetters.map((d) => [d.offset, d.code]))
    for (const { offset, line } of waiting) {
      const row = scored.get(offset)
      if (row === undefined) await refuse(line, offset < 0 ? (line.error ?? 'FIELD_INVALID') : (refused.get(offset) ?? 'NOT_SCORED'))
      else {
        const alert = (row.flags & SCORED_FLAGS.alerted) !== 0
        if (alert) counts.flagged++
        // float32 holds seven digits; more would be noise of the conversion.
        await options.write({ ...line, score: Number(row.score.toFixed(5)), alert })
      }
    }
    waiting = []
  }
  options.progress?.phase('scoring B')
  for await (const record of options.test) {
    counts.events++
    if (!record.ok) {
      waiting.push({ offset: -1, line: { event: record.ref, session: null, identity: null, time: null, error: record.rejection.code } })
    } else {
      const { event } = record
      const bytes = apart(event, record.canonical, sessions)
      const offset = instance.append({ tenant: event.tenant, identity: event.identity.id, timeMs: event.time, bytes })
      const line = {
        event: record.ref,
        session: event.session ?? null,
        identity: event.identity.id,
        time: new Date(event.time).toISOString(),
      }
      waiting.push({ offset, line })
    }
    if (instance.due || waiting.length >= 4096) await drain()
    options.progress?.at(counts.events, 0)
  }
  await drain()
  return counts
}
