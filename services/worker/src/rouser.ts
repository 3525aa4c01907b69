/** Lets a loop sleep until there is something to do. A call that comes while it is awake ends its next sleep at once. */
export interface Rouser {
  rouse(): void
  /** Until roused, or for so long. */
  sleep(ms: number): Promise<void>
}

export const createRouser = (): Rouser => {
  let called = false
  let wake: (() => void) | null = null
  return {
    rouse() {
      called = true
      wake?.()
    },
    sleep(ms) {
      return new Promise((resolve) => {
        const timer = Number.isFinite(ms) && !called ? setTimeout(() => wake?.(), ms) : undefined
        wake = () => {
          clearTimeout(timer)
          wake = null
          called = false
          resolve()
        }
        if (called) wake()
      })
    },
  }
}
