import { checkDeployment, openKafkaValues, readStateSlots } from '@plumbline/adapters/kafka'
import { type BaselineSummary, createPlaces, summariseSlot, type UsualValue } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { columns, counted } from '../output.ts'
import type { Cluster } from './config.ts'

export interface FoundIdentity {
  readonly tenant: string
  readonly identity: string
  readonly shard: number
  readonly baseline: BaselineSummary
}

/** Errors: IDENTITY_UNKNOWN, DEPLOYMENT_MISSING, MASTER_KEY_WRONG, SHARDS_FIXED, and what keeps Kafka from answering. */
export const findIdentity = async (cluster: Cluster, tenant: string, identity: string): Promise<FoundIdentity> => {
  const { settings, prefix, shards } = cluster
  const masterKey = cluster.masterKey()
  const values = await openKafkaValues(settings, { prefix })
  try {
    // With another key or count the identity would only seem to be unknown.
    checkDeployment(values, { shards, masterKey })
  } finally {
    await values.close()
  }
  const place = createPlaces({ masterKey, shards })(tenant, identity)
  const [slot] = await readStateSlots(settings, { prefix, shards }, [place])
  if (slot === undefined) {
    throw new PlumblineError(
      'IDENTITY_UNKNOWN',
      `Nothing is learned of ${identity} of tenant ${tenant}: no event of it was scored yet, or it was erased. Check the spelling and --tenant.`,
    )
  }
  return { tenant, identity, shard: place.shard, baseline: summariseSlot(slot) }
}

const whole = (n: number): string => Math.round(n).toLocaleString('en')
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
const moment = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 16)

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']
const bytes = (n: number): string => {
  let at = 0
  for (let rest = n; rest >= 1000 && at < UNITS.length - 1; rest /= 1000) at++
  const value = n / 1000 ** at
  return `${value.toFixed(at === 0 || value >= 100 ? 0 : 1)} ${UNITS[at]}`
}

const amount = (unit: UsualValue['unit'], n: number): string => (unit === 'bytes' ? bytes(n) : n < 10 ? n.toFixed(1) : whole(n))

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** Hours of a day in which it was active, as ranges: `08-12, 14-18`. */
const rangesOf = (hours: readonly number[]): string => {
  const ranges: string[] = []
  for (let h = 0; h < 24; h++) {
    if (hours[h] === 0 || (h > 0 && hours[h - 1] !== 0)) continue
    let end = h
    while (end < 24 && hours[end] !== 0) end++
    ranges.push(`${String(h).padStart(2, '0')}-${String(end).padStart(2, '0')}`)
  }
  return ranges.join(', ')
}

const activity = (hoursOfWeek: readonly number[]): readonly string[][] =>
  DAYS.map((day, i) => ['', day, rangesOf(hoursOfWeek.slice(i * 24, i * 24 + 24)) || '-'])

export const identityWords = ({ tenant, identity, shard, baseline: b }: FoundIdentity): string => {
  const { remembers, outcomes } = b
  const facts = [
    [
      '',
      'seen',
      `${moment(b.firstSeenMs)} to ${moment(b.lastSeenMs)} UTC, ${whole(b.events)} events on ${counted(Math.round(b.activeDays), 'whole day')}`,
    ],
    [
      '',
      'maturity',
      `${percent(b.maturity)}, learned from what counts as ${whole(b.learned)} events${b.frozen ? '; frozen by a verdict' : ''}`,
    ],
    ['', 'risk', `${whole(b.risk)} of 100${b.risk > 0 ? ` at ${moment(b.riskAtMs)} UTC, halving since` : ''}`],
    [
      '',
      'remembers',
      `${remembers.actions} actions, ${remembers.classes} resource classes, ${remembers.destinations} destinations, ${remembers.networks} networks (as keyed hashes)`,
    ],
    ['', 'outcomes', `${percent(outcomes.success)} success, ${percent(outcomes.failure)} failure, ${percent(outcomes.denied)} denied`],
    ['', 'country', b.country ?? 'not told'],
    ['', 'sessions', `${b.openSessions} open`],
  ]
  const usual = b.usual.map(({ metric, window, unit, usual: typical, largest }) => [
    '',
    `${metric} a ${window}`,
    amount(unit, typical),
    amount(unit, largest),
  ])
  return [
    `${identity} (${b.kind}) of tenant ${tenant}, shard ${shard}`,
    columns(facts),
    ...(usual.length === 0
      ? ['No window is complete yet.']
      : ['Usual in windows with activity:', columns([['', '', 'usual', 'most'], ...usual])]),
    ...(b.hoursOfWeek.some((days) => days > 0)
      ? ['Active hours, UTC:', columns(activity(b.hoursOfWeek))]
      : ['No day is over yet that would tell active hours.']),
  ].join('\n')
}
