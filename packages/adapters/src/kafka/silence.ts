/** Tells when nothing was heard for so long. */
export interface SilenceWatch {
  heard(): void
  end(): void
}

const LOOKS = 5

/**
 * A process that itself stood still meanwhile has heard nothing for that reason alone: it listens on for as long again.
 * @param silentMs after which `onSilent` is told how long nothing was heard, and again after as long
 */
export const watchSilence = (silentMs: number, onSilent: (silentMs: number) => void, now = () => performance.now()): SilenceWatch => {
  const lookMs = silentMs / LOOKS
  let heardAt = now()
  let lookedAt = heardAt
  const timer = setInterval(() => {
    const at = now()
    if (at - lookedAt > 2 * lookMs) heardAt = at
    lookedAt = at
    const silent = at - heardAt
    if (silent < silentMs) return
    heardAt = at
    onSilent(silent)
  }, lookMs)
  timer.unref()
  return { heard: () => void (heardAt = now()), end: () => clearInterval(timer) }
}
