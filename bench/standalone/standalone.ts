// The real process, as `plumbline up` starts it, over HTTP: rate from POST to row in ClickHouse, latency from POST to alert.
import type { EventInput } from '@plumbline/schemas'
import { generate, type GenerateOptions, listVictims } from '@plumbline/generator'
import { quantile } from '../lib/numbers.ts'
import type { Measured } from '../lib/result.ts'
import { type RunningInstance, startInstance } from './instance.ts'

const IDENTITIES = 1_000
const EVENTS = 150_000
const BATCH = 1_000
const CONNECTIONS = 4
const ALERTS = 40
const POLL_MS = 10

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Batches as a sender would hold them ready: NDJSON. Their events end now, so that none is late. */
const batchesOf = (options: GenerateOptions): { readonly batches: Buffer[]; readonly count: number; readonly bytes: number } => {
  const batches: Buffer[] = []
  let lines: string[] = []
  let count = 0
  let bytes = 0
  const flush = (): void => {
    const body = Buffer.from(lines.join(''))
    bytes += body.length
    batches.push(body)
    lines = []
  }
  for (const { event } of generate(options)) {
    if (count >= EVENTS) break
    lines.push(`${JSON.stringify(event)}\n`)
    count++
    if (lines.length >= BATCH) flush()
  }
  if (lines.length > 0) flush()
  return { batches, count, bytes }
}

interface Sent {
  readonly ackMs: number[]
  busy: number
}

/** Posts the batches over a few connections, in order per connection; a 503 is waited out, as Retry-After says. */
const sendAll = async (instance: RunningInstance, batches: readonly Buffer[], pauseMs = 0): Promise<Sent> => {
  const sent: Sent = { ackMs: [], busy: 0 }
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < batches.length) {
      const body = batches[next++]!
      for (;;) {
        const t = performance.now()
        const answer = await instance.post(body)
        if (answer.status === 202) {
          sent.ackMs.push(performance.now() - t)
          break
        }
        if (answer.status !== 503) throw new Error(`${answer.status}: ${answer.text.slice(0, 300)}`)
        sent.busy++
        await sleep(200)
      }
      if (pauseMs > 0) await sleep(pauseMs)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, lane))
  return sent
}

/** An act that nobody would call usual: a bot takes a great deal of payroll to a place outside. */
const theft = (identity: string, n: number): EventInput => ({
  v: 1,
  id: `bench-theft-${n}`,
  time: Date.now(),
  identity: { id: identity, kind: 'agent' },
  session: `bench-theft-${n}`,
  action: 'payroll.export',
  resource: { id: `payroll/${n}`, class: 'payroll', sensitivity: 3 },
  destination: `drop${n}.example.net`,
  outcome: 'success',
  bytesOut: 4_000_000_000,
})

interface Latencies {
  readonly alert: number[]
  readonly row: number[]
  missing: number
}

/** POST → alert readable by GET /v1/alerts, and → row readable in ClickHouse, one act after the other. */
const latencies = async (instance: RunningInstance, victims: readonly string[], first: number): Promise<Latencies> => {
  const out: Latencies = { alert: [], row: [], missing: 0 }
  for (let n = first; n < first + ALERTS; n++) {
    const identity = victims[n % victims.length]!
    const event = theft(identity, n)
    const t = performance.now()
    const answer = await instance.post(Buffer.from(JSON.stringify(event)))
    if (answer.status !== 202) throw new Error(`${answer.status}: ${answer.text.slice(0, 300)}`)
    const until = async (readable: () => Promise<boolean>): Promise<number | null> => {
      while (performance.now() - t < 5_000) {
        if (await readable()) return performance.now() - t
        await sleep(POLL_MS)
      }
      return null
    }
    const [alert, row] = await Promise.all([
      until(() => instance.alerted(identity, event.time as number)),
      until(
        async () =>
          (await instance.query(
            `SELECT count() FROM scored_events WHERE tenant = 'default' AND identity = '${identity}' AND event_id = '${event.id}'`,
          )) === 1,
      ),
    ])
    if (alert !== null) out.alert.push(alert)
    else out.missing++
    if (row !== null) out.row.push(row)
  }
  return out
}

export const standalone = async (): Promise<Measured> => {
  const days = 2
  const company: GenerateOptions = {
    seed: 51,
    identities: IDENTITIES,
    days,
    eventsPerIdentityDay: 85,
    startTime: Date.now() - days * 86_400_000,
    attacks: 'none',
    peerGroups: false,
  }
  const { batches, count, bytes } = batchesOf(company)
  const victims = listVictims(company, 'hijack')
  const instance = await startInstance()
  try {
    const rows = (): Promise<number> => instance.query('SELECT count() FROM scored_events')
    const started = performance.now()
    const sent = await sendAll(instance, batches)
    const taken = (performance.now() - started) / 1000
    while ((await rows()) < count) {
      if (performance.now() - started > 240_000) throw new Error(`after four minutes ${await rows()} of ${count} rows are readable`)
      await sleep(50)
    }
    const stored = (performance.now() - started) / 1000
    const distinct = await instance.query('SELECT uniqExact(shard, offset) FROM scored_events')
    await instance.settled()
    process.stderr.write('latency, quiet …\n')
    const quiet = await latencies(instance, victims, 0)
    process.stderr.write('latency, under load …\n')
    const load = batchesOf({ ...company, seed: 52, days: 1, startTime: Date.now() - 86_400_000 })
    let background = true
    const rate = { events: 0, since: performance.now() }
    const noise = (async () => {
      for (let i = 0; background; i = (i + 1) % load.batches.length) {
        const answer = await instance.post(load.batches[i]!)
        if (answer.status === 202) rate.events += BATCH
        await sleep(400)
      }
    })()
    const busy = await latencies(instance, victims, ALERTS)
    const busyRate = rate.events / ((performance.now() - rate.since) / 1000)
    background = false
    await noise
    const ms = (values: readonly number[], q: number): string => (values.length === 0 ? '–' : quantile(values, q).toFixed(0))
    const row = (name: string, l: Latencies): (string | number)[] => [
      name,
      l.alert.length,
      l.missing,
      ms(l.alert, 0.5),
      ms(l.alert, 0.99),
      ms(l.row, 0.5),
      ms(l.row, 0.99),
    ]
    return {
      title: 'Standalone: HTTP in, row and alert out',
      how: [
        `One process as \`plumbline up --no-demo\` starts it, with its LMDB log and ClickHouse engine, fresh data folder; ${count} generated events of ${IDENTITIES} identities (${Math.round(bytes / count)} bytes each), NDJSON in batches of ${BATCH} over ${CONNECTIONS} connections from another process of the same machine; the first model is trained meanwhile. Every 202 came after the events were on disk.`,
        `${distinct} distinct positions for ${count} events; ${sent.busy} requests were told to wait (503).`,
        `Latency: a bot takes 4 GB of payroll to a place never seen, ${ALERTS} times; from the POST until \`GET /v1/alerts\` shows it, and until a SELECT finds the row, asked every ${POLL_MS} ms.`,
      ],
      values: {
        events_per_s: Math.round(count / stored),
        accepted_per_s: Math.round(count / taken),
        events: count,
        ack_p50_ms: quantile(sent.ackMs, 0.5),
        ack_p99_ms: quantile(sent.ackMs, 0.99),
        alert_p50_ms: quantile(quiet.alert, 0.5),
        alert_p99_ms: quantile(quiet.alert, 0.99),
        alert_loaded_p50_ms: quantile(busy.alert, 0.5),
        alert_loaded_p99_ms: quantile(busy.alert, 0.99),
        rows_stored: await rows(),
        distinct_positions: distinct,
        alerts_missing: quiet.missing + busy.missing,
      },
      bars: [{ what: 'every event accepted is one row', measured: distinct / count, bar: 1, atLeast: true, unit: 'of events', digits: 4 }],
      tables: [
        {
          title: 'Rate',
          columns: ['events/s accepted', 'events/s to row readable', 'batch acknowledged p50, ms', 'p99, ms'],
          rows: [[Math.round(count / taken), Math.round(count / stored), ms(sent.ackMs, 0.5), ms(sent.ackMs, 0.99)]],
        },
        {
          title: 'Latency from POST',
          columns: ['', 'alerts', 'not seen in 5 s', 'alert p50, ms', 'alert p99, ms', 'row p50, ms', 'row p99, ms'],
          rows: [row('otherwise idle', quiet), row(`beside ${Math.round(busyRate)} events/s`, busy)],
        },
      ],
    }
  } finally {
    await instance.stop()
  }
}
