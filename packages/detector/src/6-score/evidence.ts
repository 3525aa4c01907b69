import { log10 } from '../math/functions.ts'

/** −log10 of the tail from which on an event counts as unusual by itself. */
export const UNUSUAL_TAIL = 2.5

/** Unusual events of a session are counted in 1/256, and each further event lets the count fade by a sixteenth. */
const ONE = 256

/** The count after one more event: recent density of the unusual, at most 16 however long the session lasts. */
export const unusualAfter = (before: number, unusual: boolean): number => before - Math.ceil(before / 16) + (unusual ? ONE : 0)

/**
 * An event's improbability together with the session it stands in: −log10 of its own tail, plus log10(1 + unusual events
 * not long before it). One odd call is life; the tenth in a session is a session that goes on being odd. Calibrated again by the
 * release, because honest sessions come in odd bursts too.
 */
export const evidenceOf = (eventTail: number, unusualBefore: number): number =>
  unusualBefore === 0 || eventTail < 1 ? eventTail : eventTail + log10(1 + unusualBefore / ONE)
