import { SCORED_FLAGS } from '@plumbline/schemas'
import type { Episode, StepSeen } from './episode.ts'
import { HOUR } from './limits.ts'
import { isUsual, learnHabit, type Memory } from './memory.ts'
import type { Signal } from './signal.ts'

/** A task is over when nothing of it came for so long; one that is only known by who gave it out sooner. */
export const TASK_GAP_MS = { root: 4 * HOUR, delegator: HOUR } as const

const has = (flags: number, flag: keyof typeof SCORED_FLAGS): boolean => (flags & SCORED_FLAGS[flag]) !== 0

/** Which steps of FLOW_STEPS a row is. */
export const stepsOf = ({ flags }: Signal): readonly number[] => [
  ...(has(flags, 'untrustedRead') ? [0] : []),
  ...(has(flags, 'sensitiveRead') ? [1] : []),
  ...(has(flags, 'outsideWrite') ? [2] : []),
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

/** All flows over several identities, in order of their writes. */
const chainsIn = ({ steps }: Episode): readonly Chain[] =>
  steps.flatMap((write) => (write.step !== 2 || isOwn(write, steps) ? [] : (chainFor(write, steps) ?? [])))

/**
 * Whether it ends at a place that is new and that nobody asked for. Where it is known that the request did not name the place, new
 * to its identity is enough; where nothing is known of that, the place has to be new to everybody.
 */
const endsOddly = (memory: Memory, { steps }: Chain): boolean => {
  const [untrusted, , write] = steps
  if (has(write.flags, 'told') || !has(write.flags, 'newDestination')) return false
  const known = memory.places.get(write.object)
  return has(write.flags, 'untold') || known === undefined || known >= untrusted.time
}

/** The first flow of the task that is nothing this company does. */
export const strangeChain = (memory: Memory, episode: Episode): Chain | undefined =>
  chainsIn(episode).find((chain) => endsOddly(memory, chain) && !isUsual(memory, chain.habit))

/** A task is over: each of its ways counts once, told or not. What goes on day after day becomes usual. */
export const learnChains = (memory: Memory, episode: Episode): void => {
  const odd = new Map<string, boolean>()
  for (const chain of chainsIn(episode)) odd.set(chain.habit, (odd.get(chain.habit) ?? false) || endsOddly(memory, chain))
  for (const [habit, strange] of odd) learnHabit(memory, habit, episode.last, strange)
}
