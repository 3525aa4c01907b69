import type { IngestWatch } from '@plumbline/console'
import type { IngestNotice } from '@plumbline/schemas'

const EVERY_MS = 250

/** Identities told of at once; the page shows ten. */
const MOST = 10

/** Tells of the newest events at the door, one per identity, at most four times a second. */
export const createIngestWatch = (): IngestWatch & { accepted(notices: readonly IngestNotice[]): void } => {
  const listeners = new Set<(notices: readonly IngestNotice[]) => void>()
  const newest = new Map<string, IngestNotice>()
  let timer: NodeJS.Timeout | undefined
  const tell = (): void => {
    timer = undefined
    if (newest.size === 0) return
    const notices = [...newest.values()]
    newest.clear()
    for (const listener of listeners) listener(notices)
    timer = setTimeout(tell, EVERY_MS)
    timer.unref()
  }
  return {
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    accepted(notices) {
      for (const notice of notices.slice(-MOST)) {
        const key = `${notice.tenant}\n${notice.identity}`
        newest.delete(key)
        newest.set(key, notice)
        if (newest.size > MOST) newest.delete(newest.keys().next().value as string)
      }
      // The first of a quiet time shows at once.
      if (timer === undefined) tell()
    },
  }
}
