import type { Alert, Severity } from '@plumbline/schemas'
import type { ProductInfo } from './ocsf.ts'

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** One line of text without control, direction-changing or invisible characters: what a terminal or a log may be given. */
export const lineSafe = (text: string): string => text.replace(UNSEEN, ' ')

const headOf = (alert: Alert): string => `${new Date(alert.lastSeen).toISOString()} ${alert.severity.toUpperCase()}`

const eventsOf = ({ count }: Alert): string => `${count} ${count === 1 ? 'event' : 'events'}`

const ACTIVITY: Readonly<Record<Alert['activity'], (alert: Alert) => string>> = {
  create: () => '',
  update: (alert) => ` (now ${eventsOf(alert)})`,
  close: (alert) => ` (over, ${eventsOf(alert)})`,
}

/** The alert for a person at a terminal, one line. */
export const humanLine = (alert: Alert): string => {
  const { headline, normal, why, certainty, firstStep } = alert.text
  const text = [headline, normal, why, certainty, `First: ${firstStep.slice(0, 1).toLowerCase()}${firstStep.slice(1)}`]
    .filter((s) => s !== '')
    .join(' ')
  return lineSafe(`${headOf(alert)}${ACTIVITY[alert.activity](alert)} [${alert.facts.tenant}] ${text} Alert ${alert.id}.`)
}

/** What became of an alert that was told before: `… now 64 times`, `… over: 128 times`. */
export const laterLine = (alert: Alert): string => {
  const { facts, family, activity, count } = alert
  const times = count === 1 ? 'once' : `${count} times`
  const what = activity === 'close' ? `over: ${times}` : `now ${times}`
  return lineSafe(`${headOf(alert)} [${facts.tenant}] ${facts.identity.id}, ${family.replaceAll('_', ' ')} … ${what}. Alert ${alert.id}.`)
}

const CEF_SEVERITY: Readonly<Record<Severity, number>> = { low: 3, medium: 5, high: 8, critical: 10 }

/** Escapes a CEF header field: backslash and bar; line breaks become spaces, for a header cannot carry them. */
export const cefHeader = (value: string): string => value.replace(UNSEEN, ' ').replace(/[\\|]/g, '\\$&')

/** Escapes a CEF extension value: backslash, equals sign and line breaks. Reversible by `cefUnescape`. */
export const cefValue = (value: string): string => value.replace(/[\\=]/g, '\\$&').replace(/\r/g, '\\r').replace(/\n/g, '\\n')

export const cefUnescape = (value: string): string =>
  value.replace(/\\([\\=|rn])/g, (_, c: string) => (c === 'r' ? '\r' : c === 'n' ? '\n' : c))

/** The alert as one CEF:0 line. Values cannot add fields, lines or records. */
export const toCef = (alert: Alert, product: ProductInfo): string => {
  const header = [
    product.vendorName,
    product.name,
    product.version,
    `plumbline.${alert.family}`,
    alert.text.headline,
    `${CEF_SEVERITY[alert.severity]}`,
  ]
  const extension: Record<string, string | undefined> = {
    externalId: alert.id,
    rt: `${alert.lastSeen}`,
    start: `${alert.firstSeen}`,
    end: `${alert.lastSeen}`,
    cnt: `${alert.count}`,
    suser: alert.facts.identity.id,
    act: alert.facts.action,
    outcome: alert.facts.outcome,
    dhost: alert.facts.destination,
    cs1Label: 'revision',
    cs1: `${alert.revision}`,
    cs2Label: 'tenant',
    cs2: alert.facts.tenant,
    cs3Label: 'firstStep',
    cs3: alert.text.firstStep,
    msg: [alert.text.headline, alert.text.normal, alert.text.why].join(' '),
  }
  const pairs = Object.entries(extension).flatMap(([k, v]) =>
    v === undefined ? [] : [`${k}=${cefValue(v.replace(/[^\P{Cc}\r\n]/gu, ' '))}`],
  )
  return `CEF:0|${header.map(cefHeader).join('|')}|${pairs.join(' ')}`
}
