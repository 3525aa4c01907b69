// How far somebody patient gets: an identity that grows by the same share every day for a month, as fast as nothing alerts.
import { canonicalEvent } from '@plumbline/detector'
import { DAY, generate } from '@plumbline/generator'
import { DEFAULT_DETECTION_CONFIG, Event } from '@plumbline/schemas'
import { Learner } from '../../services/cli/src/evaluate/learner.ts'
import { median } from '../lib/numbers.ts'
import type { DetectionPart } from './detection.ts'

const SEED = 251
const START = Date.UTC(2026, 7, 31)
const LEARN_DAYS = 21
const DAYS = 30
const COMPANY = {
  seed: SEED,
  startTime: START,
  days: LEARN_DAYS + DAYS,
  identities: 24,
  eventsPerIdentityDay: 30,
  attacks: 'none' as const,
  benign: false,
}
const VICTIMS = 3
/** Growth a day that is tried, as a share; between what passes and what does not the search halves. */
const MOST = 1
const HALVINGS = 6

const QUANTITIES = ['bytes of each transfer', 'number of acts'] as const
type Quantity = (typeof QUANTITIES)[number]

interface Life {
  readonly identity: string
  readonly time: number
  readonly event: Event
}

const lives = (): Life[] =>
  [...generate(COMPANY)].map(({ event }) => {
    const parsed = Event.parse(event)
    return { identity: parsed.identity.id, time: parsed.time, event: parsed }
  })

/** Who sends something each day, the busiest first: a ramp of nothing is none. */
const victimsOf = (life: readonly Life[]): string[] => {
  const sent = new Map<string, number>()
  for (const { identity, event } of life) if ((event.bytesOut ?? 0) > 0) sent.set(identity, (sent.get(identity) ?? 0) + 1)
  return [...sent]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, VICTIMS)
    .map(([identity]) => identity)
}

/** The act as the adversary does it: larger, or as many times as the growth so far makes of one, a little apart. */
const grown = ({ event, time, identity }: Life, victim: string, quantity: Quantity, growth: number): Event[] => {
  const day = Math.floor((time - START) / DAY) - LEARN_DAYS
  if (identity !== victim || day < 0) return [event]
  const factor = (1 + growth) ** (day + 1)
  if (quantity === 'bytes of each transfer')
    return [event.bytesOut === undefined ? event : { ...event, bytesOut: Math.round(event.bytesOut * factor) }]
  // What is left of a whole number comes in turn, by the place of the event in its hour.
  const times = Math.floor(factor) + ((time % 3_600_000) / 3_600_000 < factor % 1 ? 1 : 0)
  return Array.from({ length: times }, (_, n) => (n === 0 ? event : { ...event, id: `${event.id}-${n}`, time: time + n * 1_000 }))
}

/** Whether anything of the victim alerts in the month. */
const alerts = async (life: readonly Life[], victim: string, quantity: Quantity, growth: number): Promise<boolean> => {
  const learner = new Learner({
    config: { ...DEFAULT_DETECTION_CONFIG, trainAfterEvents: 8_000 },
    masterKey: new Uint8Array(16),
    trains: true,
  })
  const from = START + LEARN_DAYS * DAY
  let taken = 0
  const step = async (): Promise<boolean> =>
    (await learner.step()).alerts.some(({ facts, firstSeen }) => facts.identity.id === victim && firstSeen >= from)
  for (const one of life) {
    for (const event of grown(one, victim, quantity, growth)) {
      const timeMs = event.time
      learner.instance.append({ tenant: 'default', identity: event.identity.id, timeMs, bytes: canonicalEvent(event) })
      if (++taken % 500 === 0 && (await step())) return true
    }
  }
  return step()
}

interface Found {
  readonly victim: string
  readonly quantity: Quantity
  /** Largest growth a day that was tried and told nobody, as a share; null: it alerts without any growth. */
  readonly growth: number | null
}

const search = async (life: readonly Life[], victim: string, quantity: Quantity): Promise<Found> => {
  process.stderr.write(`adversary: ${quantity} of ${victim} …\n`)
  if (await alerts(life, victim, quantity, 0)) return { victim, quantity, growth: null }
  let [passes, told] = [0, MOST]
  if (!(await alerts(life, victim, quantity, MOST))) return { victim, quantity, growth: MOST }
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (passes + told) / 2
    if (await alerts(life, victim, quantity, middle)) told = middle
    else passes = middle
  }
  return { victim, quantity, growth: passes }
}

const factorOf = (growth: number): number => (1 + growth) ** DAYS

export const adversary = async (): Promise<DetectionPart> => {
  const life = lives()
  const found: Found[] = []
  for (const quantity of QUANTITIES) for (const victim of victimsOf(life)) found.push(await search(life, victim, quantity))
  return {
    how: [
      `A patient adversary: after ${LEARN_DAYS} days of ordinary life an identity grows by the same share each day for ${DAYS} days, in the size of its transfers or in the number of its acts, to the places and things it always used. Found by halving, to ${((100 * MOST) / 2 ** HALVINGS).toFixed(1)} % a day: the fastest growth at which nothing of it alerts (before the ceiling). One company, seed ${SEED}.`,
    ],
    values: { found },
    bars: [],
    tables: [
      {
        title: 'What a patient adversary can move in 30 days without an alert',
        columns: ['identity', 'grows', 'most growth a day', 'times the ordinary after 30 days'],
        rows: [
          ...found.map(({ victim, quantity, growth }) => [
            victim,
            quantity,
            growth === null ? 'alerts without growth' : `${(100 * growth).toFixed(1)} %`,
            growth === null ? '–' : `${factorOf(growth).toFixed(1)} ×`,
          ]),
          ...QUANTITIES.map((quantity) => {
            const growths = found.flatMap((one) => (one.quantity === quantity && one.growth !== null ? [one.growth] : []))
            return growths.length === 0
              ? ['median', quantity, '–', '–']
              : ['median', quantity, `${(100 * median(growths)).toFixed(1)} %`, `${factorOf(median(growths)).toFixed(1)} ×`]
          }),
        ],
      },
    ],
  }
}
