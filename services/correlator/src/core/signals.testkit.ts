import { SCORED_FLAGS } from '@plumbline/schemas'
import { DAY, HOUR, MINUTE } from './limits.ts'
import { type AlertSignal, ROLE, type Signal } from './signal.ts'

export const START = Date.UTC(2026, 9, 5)
const { sensitiveRead, newDestination } = SCORED_FLAGS
export const { untrustedRead, outsideWrite, untold, told, alerted } = SCORED_FLAGS
export { DAY, HOUR, MINUTE }

let offset = 0

/** An ordinary act of an agent that is known. */
export const signal = (said: Partial<Signal> & { readonly time: number }): Signal => ({
  tenant: 'acme',
  identity: 'bot',
  kind: 0,
  shard: 0,
  offset: offset++,
  action: 'crm.read',
  resource: '',
  destination: '',
  source: '',
  root: '',
  by: '',
  release: '',
  model: '',
  flags: 0,
  score: 50,
  maturity: 1,
  roles: ROLE.sighting,
  ...said,
})

/** Makes the tenant known, and that time goes on. */
export const since = (time: number): Signal => signal({ time, identity: 'clock' })

export const alertFor = ({ tenant, time, shard, offset: at }: Signal, severity: AlertSignal['severity'] = 'high'): AlertSignal => ({
  tenant,
  id: `alert-${shard}-${at}`,
  severity,
  time,
  shard,
  offset: at,
})

const step = (time: number, identity: string, flags: number, more: Partial<Signal>): Signal =>
  signal({ time, identity, flags, roles: ROLE.step, root: 'root-1', ...more })

/** Untrusted read by one, sensitive read by another, write to the outside by a third. */
export const splitFlow = (at: number, more: Partial<Signal> = {}, how: number = untold): Signal[] => [
  step(at, 'reader', untrustedRead, { action: 'web.fetch', resource: 'page/7', ...more }),
  step(at + 2 * MINUTE, 'analyst', sensitiveRead, { action: 'hr.read', resource: 'hr/1', ...more }),
  step(at + 5 * MINUTE, 'mailer', outsideWrite | newDestination | how, { action: 'mail.send', destination: 'drop.example', ...more }),
]

/** Identities that depart one after the other with something in common. */
export const fleet = (at: number, size: number, more: Partial<Signal> = {}, every = 2 * MINUTE): Signal[] =>
  Array.from({ length: size }, (_, i) =>
    signal({ time: at + i * every, identity: `agent-${i}`, action: 'pdf.convert', roles: ROLE.departs, source: `10.0.0.${i}`, ...more }),
  )
