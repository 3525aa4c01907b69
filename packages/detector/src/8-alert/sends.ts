import { N } from '../record.ts'
import { W } from '../state/layout.ts'
import { indexOf } from '../state/index-of.ts'
import { windowValue } from '../state/window-of.ts'
import type { Work } from '../work.ts'
import { movesMostHours } from './hour-rules.ts'
import { HALF_KNOWN, KNOWN, LEAST_BYTES, speaks } from './rule-evidence.ts'

const ACTION = indexOf('action_own')
const ARGUMENTS = indexOf('arguments_own')
const BYTES_OUT = indexOf('bytes_out_own')
const BYTES_OUT_DAY = indexOf('bytes_out_day')
const BYTES_OUT_HOUR = indexOf('bytes_out_hour')
const DESTINATION = indexOf('destination_own')
const DESTINATION_GLOBAL = indexOf('destination_global')
const DESTINATION_PEER = indexOf('destination_peer')
const DRIFT_BYTES = indexOf('drift_bytes')
const HOUR = indexOf('hour_own')
const LURED = indexOf('destination_lured')

/** Unusually large sends that go on over days, seldom by chance; fewer where the one at hand is odd in itself. */
export const goesOnSending = (w: Work): boolean =>
  shifts(w) ||
  (w.rampNats >= 9 && speaks(w, 'drift')) ||
  ((w.rampNats >= 6.5 || (w.rampNats >= 4 && isOddSend(w))) && speaks(w, 'drift_of_odd'))
/** Large, by an act and to a place that it hardly uses: who takes data out bit by bit has no habit of it. */
const isOddSend = (w: Work): boolean => w.features[BYTES_OUT]! >= 4.5 && w.features[DESTINATION]! >= 3 && w.features[ACTION]! >= 3

/** One large send beyond its own on a day that is beyond its days, where days differ so much that neither says it alone. */
export const growsLarge = (w: Work): boolean =>
  w.maturity >= KNOWN &&
  w.event.number[N.bytesOut]! >= LEAST_BYTES &&
  w.features[BYTES_OUT]! >= 6 &&
  w.features[DRIFT_BYTES]! >= 5 &&
  speaks(w, 'drift')

/** Hours in a row that each send more than is usual at their time: the level has shifted. */
const SHIFT_NATS = 10
const shifts = (w: Work): boolean =>
  w.shiftNats >= SHIFT_NATS && w.maturity >= KNOWN && movesMostHours(w, W.bytesOutHour) && speaks(w, 'drift')

/** A large transfer to a place outside: one that a tool result named and nobody here uses, or far beyond its own and where it hardly goes. */
export const movesOut = (w: Work): boolean => {
  const x = w.features
  if (!w.isExternal || w.maturity < HALF_KNOWN || !(w.event.number[N.bytesOut]! >= LEAST_BYTES) || x[BYTES_OUT]! < LARGE_NATS) return false
  if (x[LURED]! >= LURED_NATS || (x[BYTES_OUT]! >= 8 && x[DESTINATION]! >= 8)) return speaks(w, 'far')
  return w.maturity >= KNOWN && x[BYTES_OUT]! >= 6 && x[DESTINATION]! >= 5 && speaks(w, 'moves_out')
}
const LURED_NATS = 6
/** Who sends as much every day has told nothing by its size. */
const LARGE_NATS = 2

/**
 * Much in an hour, in pieces that need not be large, to a place outside that it hardly uses, at an hour when it is not active:
 * each is life, together they are a few in ten thousand identities a day. Where nobody uses the place, and the day is beyond its
 * days as the hour is beyond its hours, less need be known of the identity.
 */
export const movesOutAtNight = (w: Work): boolean => {
  if (!w.isExternal || !(windowValue(w, W.bytesOutHour) + w.event.number[N.bytesOut]! >= LEAST_BYTES)) return false
  const x = w.features
  const hardly = x[HOUR]! >= 3.5 && x[BYTES_OUT_HOUR]! >= 3 && x[DESTINATION]! >= 2.5
  if (hardly && w.maturity >= HALF_KNOWN && speaks(w, 'moves_at_night')) return true
  return (
    w.maturity >= LITTLE_KNOWN && x[HOUR]! >= 2.9 && x[BYTES_OUT_HOUR]! >= 5 && x[BYTES_OUT_DAY]! >= 4.5 && isNobodys(w) && speaks(w, 'far')
  )
}
const LITTLE_KNOWN = 0.25
const isNobodys = (w: Work): boolean => w.features[DESTINATION_PEER]! >= 8.5 && w.features[DESTINATION_GLOBAL]! >= 7

/** Any amount beyond its own, with arguments not its own, to a place that a tool result named and neither it nor its peers use. */
export const sendsWhereLured = (w: Work): boolean => {
  const x = w.features
  return (
    w.isExternal &&
    w.maturity >= HALF_KNOWN &&
    x[LURED]! >= LURED_NATS &&
    x[BYTES_OUT]! >= 3 &&
    x[ARGUMENTS]! >= 3 &&
    Math.min(x[DESTINATION]!, x[DESTINATION_PEER]!) >= 8 &&
    speaks(w, 'far')
  )
}
