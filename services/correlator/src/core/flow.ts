import { SCORED_FLAGS } from '@plumbline/schemas'
import type { Episode, StepSeen } from './episode.ts'
import { HOUR } from './limits.ts'
import { isUsual, learnHabit, type Memory } from './memory.ts'
import type { Signal } from './signal.ts'

/** A task is over when nothing of it came for so long; one that is only known by who gave it out sooner. */
export const TASK_GAP_MS = { root: 4 * HOUR, delegator: HOUR } as const

const has = (flags: number, flag: keyof typeof SCORED_FLAGS): boolean => (flags & SCORED_FLAGS[flag]) !== 0

/** Which steps of FLOW_STEPS a row is. Of writes only those to a place that is new to their identity matter. */
export const stepsOf = ({ flags }: Signal): readonly number[] => [
  ...(has(flags, 'untrustedRead') ? [0] : []),
  ...(has(flags, 'sensitiveRead') ? [1] : []),
  ...(has(flags, 'outsideWrite') && has(flags, 'newDestination') ? [2] : []),
]

/** Untrusted read, then sensitive read, then a write to the outside. */
export interface Chain {
  readonly steps: readonly [StepSeen, StepSeen, StepSeen]
  /** By their acts, whoever did them. */
  readonly habit: string
}

const chainFor = (write: StepSeen, before: readonly StepSeen[]): Chain | null => {
  let best: Chain | null = null
  let most = 1
  for (const sensitive of before) {
    if (sensitive.step !== 1 || sensitive.time > write.time) continue
    for (const untrusted of before) {
      if (untrusted.step !== 0 || untrusted.time > sensitive.time) continue
      const hands = new Set([untrusted.identity, sensitive.identity, write.identity]).size
      if (hands <= most) continue
      most = hands
      best = {
        steps: [untrusted, sensitive, write],
        habit: [untrusted, sensitive, write].map(({ action }) => action).join('\n'),
      }
    }
  }
  return best
}

/** Who does all three steps is judged by its own alerts. */
const isOwn = (write: StepSeen, steps: readonly StepSeen[]): boolean => {
  const own = steps.filter(({ identity, time }) => identity === write.identity && time <= write.time)
  return own.some(({ step, time }) => step === 1 && own.some((other) => other.step === 0 && other.time <= time))
}

/** All flows over several identities to new places that nobody asked for, in order of their writes. */
export const chainsIn = ({ steps }: Episode): readonly Chain[] =>
  steps.flatMap((write) => {
    if (write.step !== 2 || has(write.flags, 'told') || isOwn(write, steps)) return []
    return chainFor(write, steps) ?? []
  })

/**
 * Whether a flow is nothing this company does. Where it is known that the request did not name the place, that is enough; where
 * nothing is known of that, the place has to be new to everybody.
 */
export const isStrange = (memory: Memory, { habit, steps }: Chain): boolean => {
  const [untrusted, , write] = steps
  if (isUsual(memory, habit)) return false
  const known = memory.places.get(write.object)
  return has(write.flags, 'untold') || known === undefined || known >= untrusted.time
}

/** Told or not: what goes on day after day becomes usual. */
export const learnChains = (memory: Memory, chains: readonly Chain[]): void => {
  for (const { habit, steps } of chains) learnHabit(memory, habit, steps[2].time)
}
