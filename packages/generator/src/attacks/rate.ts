import { constantEvent, constantPeriod } from '../benign.ts'
import { DAY, HOUR } from '../options.ts'
import { openSession, runTask } from '../session.ts'
import { type Case, observe, sessionsIn } from './case.ts'

const MINUTE = 60_000

/** An identity that acts at an exactly constant rate is suddenly busier: same tool, same size, only more often. */
export const burst = (c: Case): void => {
  const m = c.member()
  if (m === null) return
  const period = constantPeriod(c.world, m)
  const lasts = Math.max(c.by(10, 15, 20, 90, 240) * MINUTE, 2 * period)
  const extra = Math.min(4_000, Math.max(2, Math.round((lasts / period) * (c.spec.size - 1))))
  const start = c.at(m, 1, 19, true)
  const step = lasts / extra
  const jitter = c.by(0, 0.1, 0.3, 0.6, 0.9)
  for (let i = 0; i < extra; i++) {
    const time = Math.round(start + i * step + jitter * (c.rng.unit() - 0.5) * step)
    c.sink(true)(constantEvent(c.world, m, time, c.rng))
  }
}

/** Twin: a crawler has one of its bursts, no larger than those it had before. */
export const burstTwin = (c: Case): void => {
  const m = c.member()
  if (m === null) return
  const perHour = new Map<number, number>()
  for (const s of sessionsIn(observe(c.world, m, c.from - 5 * DAY, c.from))) {
    const h = Math.floor(s.last.time / HOUR)
    perHour.set(h, (perHour.get(h) ?? 0) + 1)
  }
  const most = Math.max(3, ...perHour.values())
  const start = c.at(m, 6, 20, true)
  for (let n = Math.ceil(most * (0.4 + 0.4 * c.rng.unit())); n > 0; n--) {
    const t = start + c.rng.below(HOUR)
    runTask(openSession(c.world, m, t, c.rng), m.role.tasks[0]!, t, c.sink(true))
  }
}
