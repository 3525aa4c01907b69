import type { Work } from '../work.ts'
import { RARE_ACTION_COUNT, RARE_ACTIONS } from './layout.ts'

/** Nats from which on an action is rare for its identity: less than two in a hundred of its acts. */
const RARE = 4

export const isRareAction = (actionNats: number): boolean => actionNats >= RARE

/** Eight bits of an action, never 0: few are rare in one hour, and one taken for another adds two nats once. */
const bitsOf = (action: number): number => (action >>> 8) & 255 || 1

/** How many of the identity's last rare actions in this hour were this one, 0 to RARE_ACTION_COUNT. */
export const timesAmongRare = (w: Work): number => {
  if (w.behind) return 0
  const bits = bitsOf(w.action)
  const first = w.base + RARE_ACTIONS
  let times = 0
  for (let at = first; at < first + RARE_ACTION_COUNT; at++) if (w.seg.u8[at] === bits) times++
  return times
}

/** The action of the event at hand joins them, the oldest goes. With the windows of the hour all are forgotten. */
export const observeRareAction = (w: Work): void => {
  const { u8 } = w.seg
  const first = w.base + RARE_ACTIONS
  u8.copyWithin(first, first + 1, first + RARE_ACTION_COUNT)
  u8[first + RARE_ACTION_COUNT - 1] = bitsOf(w.action)
}
