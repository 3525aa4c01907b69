/** Lets a loop sleep until there is something to do. A call that comes while it is awake ends its next sleep at once. */
export interface Rouser {
  rouse(): void
  /** Until roused, or for so long. The event loop gets its turn in every case: a loop that is roused each time at once starves nobody. */
  sleep(ms: number): Promise<void>
}

export const createRouser = (): Rouser => {
  let called = false
  let wake: (() => void) | null = null
  return {
    rouse() {
      if (called) return
      called = true
      if (wake !== null) setImmediate(wake)
    },
    sleep(ms) {
      return new Promise((resolve) => {
        const timer = Number.isFinite(ms) && !called ? setTimeout(() => end(), ms) : undefined
        const end = (): void => {
          if (wake !== end) return
          clearTimeout(timer)
          wake = null
          called = false
          resolve()
        }
        wake = end
        if (called) setImmediate(end)
      })
    },
  }
}
