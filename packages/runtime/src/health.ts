export interface CheckResult {
  readonly ok: boolean
  /** In words, for the person on call. Never a secret: the answer is public on the health port. */
  readonly detail?: string
}

export interface HealthReport {
  readonly ok: boolean
  readonly checks: Readonly<Record<string, CheckResult>>
}

/** What the process says about itself. Live: restarting would not help. Ready: it can do its work now. */
export interface Health {
  /** Adds a check to readiness, or with `live` to both. A check that throws or takes longer than the limit is not ok. */
  register(name: string, check: () => CheckResult | Promise<CheckResult>, options?: { readonly live?: boolean }): () => void
  live(): Promise<HealthReport>
  ready(): Promise<HealthReport>
}

interface Entry {
  readonly check: () => CheckResult | Promise<CheckResult>
  readonly live: boolean
}

/** `timeLimitMs`: how long one check may take. */
export const createHealth = (timeLimitMs = 1000): Health => {
  const entries = new Map<string, Entry>()

  const run = async (check: Entry['check']): Promise<CheckResult> => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<CheckResult>((resolve) => {
      timer = setTimeout(() => resolve({ ok: false, detail: `no answer in ${timeLimitMs} ms` }), timeLimitMs)
    })
    try {
      return await Promise.race([Promise.resolve(check()), late])
    } catch (error) {
      return { ok: false, detail: error instanceof Error ? error.message : String(error) }
    } finally {
      clearTimeout(timer)
    }
  }

  const report = async (wanted: (entry: Entry) => boolean): Promise<HealthReport> => {
    const chosen = [...entries].filter(([, entry]) => wanted(entry))
    const results = await Promise.all(chosen.map(async ([name, entry]) => [name, await run(entry.check)] as const))
    return { ok: results.every(([, result]) => result.ok), checks: Object.fromEntries(results) }
  }

  return {
    register: (name, check, options = {}) => {
      const entry = { check, live: options.live === true }
      entries.set(name, entry)
      return () => {
        if (entries.get(name) === entry) entries.delete(name)
      }
    },
    live: () => report((entry) => entry.live),
    ready: () => report(() => true),
  }
}
