import { createHash } from 'node:crypto'
import { OutboxDigest, type ScoredRow } from '@plumbline/detector/replay'
import type { DetectionConfig } from '@plumbline/schemas'
import type { Flushed } from '../evaluate/instance.ts'
import { Learner } from '../evaluate/learner.ts'
import type { PolicyInUse } from '../policy/file.ts'
import { AlertBoard, type BoardOptions } from './board.ts'
import { Highest } from './highest.ts'
import type { ReplayTarget } from './replay.ts'

/** Fixed, so that the same files give the same alerts. Nothing is kept under it. */
export const REPLAY_KEY = createHash('sha256').update('plumbline replay').digest().subarray(0, 16)
/** What is shown live must be shown when it happens, not when a chunk is full. */
const MOST_WAIT_MS = 250
/** What is due is looked for at every so many events, however long they took: the same file, the same releases at the same places. */
const STEP_EVENTS = 500

/** A release of a throw-away instance: in force from `offset` of its log on. */
export interface ReplayedRelease {
  readonly offset: number
  readonly artifact: Uint8Array
}

export interface ThrowAwayOptions {
  /** In force for every tenant from its first event on. */
  readonly policy?: PolicyInUse | undefined
  readonly onRelease?: (release: ReplayedRelease) => void
}

/** Since when each identity is known, by event time. */
const acquaintance = () => {
  const first = new Map<string, number>()
  let longestMs = 0
  return {
    add({ tenant, identity, event_time: time }: ScoredRow): void {
      const name = `${tenant}\u0000${identity}`
      const since = first.get(name)
      if (since === undefined) first.set(name, time)
      else longestMs = Math.max(longestMs, time - since)
    },
    get outcome() {
      return { identities: first.size, knownForMs: longestMs }
    },
  }
}

/** An instance in memory that learns, trains and alerts as a deployment does, and is thrown away. */
export const throwAwayTarget = (
  config: DetectionConfig,
  board: BoardOptions,
  { policy, onRelease }: ThrowAwayOptions = {},
): ReplayTarget => {
  const outbox = new OutboxDigest(1)
  const releases: { id: string; withModel: boolean }[] = []
  const learner = new Learner({
    config,
    masterKey: REPLAY_KEY,
    trains: true,
    policy,
    onRelease: (id, withModel, offset) => {
      releases.push({ id, withModel })
      onRelease?.({ offset, artifact: learner.instance.artifactOf(id)! })
    },
    onCommit: outbox.add,
  })
  const codes: Record<string, number> = {}
  const alerts = new AlertBoard(board)
  const highest = new Highest()
  const known = acquaintance()
  let taken = 0
  let shownAt = performance.now()
  const show = async (flushed: Flushed): Promise<void> => {
    shownAt = performance.now()
    for (const { code } of flushed.deadLetters) codes[code] = (codes[code] ?? 0) + 1
    for (const row of flushed.rows) {
      highest.add(row)
      known.add(row)
    }
    for (const alert of flushed.alerts) await alerts.take(alert)
  }
  return {
    event: async ({ tenant, identity, time, bytes }) => {
      learner.instance.append({ tenant, identity, timeMs: time, bytes })
      if (++taken % STEP_EVENTS === 0) await show(await learner.step())
      else if (board.live && performance.now() - shownAt > MOST_WAIT_MS) await show(learner.flush())
    },
    finish: async () => {
      await show(await learner.step())
      const seen = { ...(await alerts.end()), ...known.outcome, highest: highest.events }
      return { codes, outcome: { ...seen, releases, outboxSha256: outbox.hex() } }
    },
  }
}
