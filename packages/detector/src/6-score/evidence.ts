import { log10 } from '../math/functions.ts'

/** −log10 of the tail from which on an event counts as unusual by itself. */
export const UNUSUAL_TAIL = 2.5

/** Unusual events of a session are counted in 1/256, and each further event lets the count fade by a sixteenth. */
const ONE = 256

/** The count after one more event: recent density of the unusual, at most 16 however long the session lasts. */
export const unusualAfter = (before: number, unusual: boolean): number => before - Math.ceil(before / 16) + (unusual ? ONE : 0)

/** A run is kept in eight bits, in units of 1/128 of a tail. */
const RUN_UNIT = 128
/** Events that a run looks back on. */
const RUN_MEMORY = 4
/** What −log10 of a tail comes to on average: log10 e. */
const AVERAGE_TAIL = 0.434
/** A single event adds at most this to a run: what is far out by itself is judged by itself. */
const MOST_TAIL = 2
/** Runs below this are life: on average less odd than one event in thirteen. */
const SHORT_OF_A_RUN = 0.7

/**
 * The run after one more event: by how much the last few tails of a session lie above what tails come to on average, never
 * below 0. One act in ten is odd by nature; when one after the other is, somebody does something that is not usual here,
 * though none of the acts says so alone.
 */
export const runAfter = (before: number, eventTail: number): number => {
  const over = (eventTail < MOST_TAIL ? eventTail : MOST_TAIL) - AVERAGE_TAIL
  const after = before + (over * RUN_UNIT - before) / RUN_MEMORY
  return after <= 0 ? 0 : after >= 255 ? 255 : Math.round(after)
}

/**
 * An event's improbability together with the session it stands in: −log10 of its own tail, plus what came before it: log10(1 +
 * unusual events not long before), or the run of odd ones that it goes on, whichever says more. One odd call is life; the
 * tenth in a session is a session that goes on being odd. Calibrated again by the release, because honest sessions come in
 * odd bursts too.
 */
export const evidenceOf = (eventTail: number, unusualBefore: number, runBefore: number): number => {
  const unusual = unusualBefore === 0 || eventTail < 1 ? 0 : log10(1 + unusualBefore / ONE)
  const run = runBefore / RUN_UNIT - SHORT_OF_A_RUN
  return eventTail + (run > unusual ? run : unusual)
}
