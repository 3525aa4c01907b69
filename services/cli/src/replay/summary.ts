import { lineSafe } from '@plumbline/adapters/siem'
import { scoreOf } from '@plumbline/detector'
import { type DetectionConfig, SEVERITIES } from '@plumbline/schemas'
import { counted } from '../output.ts'
import type { HighEvent, Outcome, ReplaySummary } from './replay.ts'

const MOST_NAMED = 3
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const minute = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 16)

const durationWords = (ms: number): string => {
  if (ms < 2 * HOUR_MS) return counted(Math.ceil(ms / MINUTE_MS), 'minute')
  return ms < 2 * DAY_MS ? counted(Math.ceil(ms / HOUR_MS), 'hour') : counted(Math.round(ms / DAY_MS), 'day')
}

const readWords = (s: ReplaySummary): string => {
  const codes = Object.entries(s.codes).map(([code, n]) => `${n} ${code}`)
  const refused = s.rejected === 0 ? 'none refused' : `${s.rejected} refused (${codes.join(', ')})`
  const rate = Math.round((s.events * 1000) / Math.max(1, s.tookMs))
  const span = s.events === 0 ? '' : ` from ${minute(s.fromTime)} to ${minute(s.toTime)} UTC`
  return `${counted(s.events, 'event')}${span}, in ${(s.tookMs / 1000).toFixed(1)} s (${rate}/s); ${refused}`
}

const models = ({ releases }: Outcome): number => releases.filter((r) => r.withModel).length

const alertsWords = (o: Outcome, budgetPerDay: number): string => {
  const levels = SEVERITIES.toReversed().flatMap((level) => (o.severities[level] === undefined ? [] : [`${o.severities[level]} ${level}`]))
  const who = o.alerted.slice(0, MOST_NAMED).map(({ identity, alerts }) => `${identity} ${alerts}`)
  const held =
    o.held === 0
      ? ''
      : `; ${o.held} more held back by the budget of ${budgetPerDay} a day, a quarter of which is for high ones (--all shows them)`
  return `${counted(o.alerts, 'alert')}: ${levels.join(', ')}; most by ${who.join(', ')}${held}`
}

const highWords = (e: HighEvent): string => {
  const thing = `${e.resourceClass}${e.resource === '' ? '' : ` (${e.resource})`}`
  const odd = e.families.length === 0 ? 'nothing unusual' : e.families.map((family) => family.replaceAll('_', ' ')).join(', ')
  return lineSafe(`  ${e.score.toFixed(0).padStart(3)}  ${minute(e.time)} UTC  ${e.identity} used ${e.action} on ${thing}: ${odd}`)
}

/** Why there is no alert, as far as this can be told from what was there, and what would help. */
const whyQuiet = (s: ReplaySummary, o: Outcome, { trainAfterEvents }: DetectionConfig): string[] => {
  const all = o.identities === 1 ? 'The one identity has' : `All ${o.identities.toLocaleString('en')} identities have`
  const young =
    o.knownForMs < DAY_MS
      ? [`${all} been known for ${durationWords(o.knownForMs)} or less, and what somebody usually does takes days to learn.`]
      : []
  if (models(o) > 0) return [...young, 'A model was trained, and nothing departed far enough from what it learned.']
  const first = 10 ** Math.floor(Math.log10(Math.max(1, s.events / 2)))
  return [
    ...young,
    `There is no model yet: the first is trained after ${counted(trainAfterEvents, 'event')}. Until then statistics alone score, on the careful side.`,
    'What helps is more history: give the files of the days or weeks before as well.',
    ...(first < 100
      ? []
      : [
          `--train-after ${first} trains a model on the first ${first.toLocaleString('en')} of these. It takes them for normal, and all that differs for news: expect false alarms.`,
        ]),
  ]
}

const quietWords = (s: ReplaySummary, o: Outcome, config: DetectionConfig): string => {
  const needed = -Math.log10(config.tailFloor)
  const chance = Math.round(1 / config.tailFloor).toLocaleString('en')
  return [
    `0 alerts. Unless a rule speaks, an event alerts from a score of ${Math.round(scoreOf(needed, 0))} on, which one normal event in ${chance} reaches. The highest here, one of each kind:`,
    ...o.highest.map(highWords),
    `Why: ${whyQuiet(s, o, config).join('\n     ')}`,
  ].join('\n')
}

/** What a finished replay says. */
export const summaryWords = (s: ReplaySummary, config: DetectionConfig): string => {
  const { outcome } = s
  if (outcome === undefined) return `${readWords(s)}. Alerts are on the page of the instance.`
  const n = models(outcome)
  const scored = n === 0 ? 'no model yet, statistics alone scored' : `${counted(n, 'model')} trained`
  return [
    readWords(s),
    `${counted(outcome.identities, 'identity', 'identities')}; ${scored}`,
    ...(outcome.alerts > 0 || s.events === 0 ? [] : [quietWords(s, outcome, config)]),
    ...(outcome.alerts > 0 ? [alertsWords(outcome, config.alertBudgetPerDay)] : []),
  ].join('\n')
}
