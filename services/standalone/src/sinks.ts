import type { ForwarderStatus, SinkReport } from '@plumbline/adapters/siem'
import type { Logger, Metrics } from '@plumbline/runtime'
import type { StatusView } from '@plumbline/schemas'

/** A sink that goes on failing is logged again after this long, ms. */
const AGAIN_MS = 60_000

type SinkStatus = ForwarderStatus['sinks'][number]

/**
 * Counts what receivers of alerts did with them and warns of what was not delivered: at once, then once a minute per sink
 * and outcome, with the number of times in between. Alerts are named by id; neither their text nor the address is logged.
 */
export const createSinkWatch = (
  metrics: Pick<Metrics, 'plumbline_deliveries_total'>,
  logger: Pick<Logger, 'warn'>,
  now: () => number = () => performance.now(),
): ((report: SinkReport) => void) => {
  const told = new Map<string, { atMs: number; untold: number }>()
  return (report) => {
    const { sink, outcome } = report
    metrics.plumbline_deliveries_total.inc({ sink, outcome }, outcome === 'delivered' ? report.alerts : 1)
    if (outcome === 'delivered') return
    const kind = `${sink} ${outcome}`
    const last = told.get(kind)
    if (last !== undefined && now() - last.atMs < AGAIN_MS) {
      last.untold++
      return
    }
    const { code, message } = report.error
    const fields = { sink, code, reason: message, before: last?.untold ?? 0 }
    if (outcome === 'refused') logger.warn({ ...fields, alert: report.alert.id }, 'an alert was refused by its receiver and passed over')
    else if (outcome === 'damaged') logger.warn({ ...fields, entry: report.cursor }, 'an alert cannot be read and was passed over')
    else logger.warn(fields, 'alerts wait for their receiver')
    told.set(kind, { atMs: now(), untold: 0 })
  }
}

/** For the health page, which everybody may read: codes only, since messages name hosts and files. */
export const sinksDetail = (sinks: readonly SinkStatus[]): string =>
  sinks
    .flatMap(({ name, refused, waiting, lastRefusal }) => [
      ...(waiting === null ? [] : [`${name}: alerts wait (${waiting.code})`]),
      ...(lastRefusal === null ? [] : [`${name}: ${refused} refused (${lastRefusal.code})`]),
    ])
    .join('; ')

/** For readers of the status. */
export const sinksView = (sinks: readonly SinkStatus[]): StatusView['sinks'] =>
  sinks.map(({ name, delivered, refused, failures, waiting, lastRefusal }) => ({
    name,
    delivered,
    refused,
    failures,
    waiting: waiting !== null,
    problem: waiting?.message ?? lastRefusal?.message ?? null,
  }))
