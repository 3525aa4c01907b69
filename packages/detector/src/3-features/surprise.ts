import { fastLn as ln } from '../math/fast-ln.ts'

/** Largest surprise of one feature, nats. */
const CAP = 20

/** A count from which on a name has been seen: one ordinary event, or five that were odd in themselves. */
export const SEEN = 0.45

/** −ln p, 0 to 20. */
export const surprise = (p: number): number => {
  const nats = -ln(p)
  return nats > CAP ? CAP : nats < 0 ? 0 : nats
}
