import type { Work } from '../work.ts'
import { RUNS, SESSION_BYTES, SESSIONS } from './layout.ts'

const runAt = (w: Work): number => w.base + RUNS + (w.sessionAt - w.base - SESSIONS) / SESSION_BYTES

/** How odd the last acts of the session were before the event at hand; see 6-score/evidence. */
export const runBefore = (w: Work): number => (w.sessionIsNew ? 0 : w.seg.u8[runAt(w)]!)

/** Keeps it with the session, this event included. */
export const observeRun = (w: Work): void => {
  w.seg.u8[runAt(w)] = w.runAfter
}
