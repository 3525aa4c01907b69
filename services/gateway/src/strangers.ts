/** Addresses remembered at once; beyond it counting starts over, which lets a few more requests through. */
const MOST_ADDRESSES = 20_000
const WINDOW_MS = 1000

/** Counts requests without a good token by address, in windows of a second. */
export const createStrangers = (perSecond: number, now: () => number = () => performance.now()): ((address: string) => boolean) => {
  const seen = new Map<string, number>()
  let until = 0
  /** Whether one more request from this address is too many. */
  return (address) => {
    const at = now()
    if (at >= until || seen.size >= MOST_ADDRESSES) {
      seen.clear()
      until = at + WINDOW_MS
    }
    const count = (seen.get(address) ?? 0) + 1
    seen.set(address, count)
    return count > perSecond
  }
}
