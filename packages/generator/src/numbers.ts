import type { EventInput } from '@plumbline/schemas'
import { DAY, HOUR } from './options.ts'
import { hashText, hex32, Rng } from './prng.ts'

/** What goes wrong in a stream of one number. */
export const NUMBER_ANOMALIES = ['level_shift', 'spike', 'rhythm'] as const
export type NumberAnomaly = (typeof NUMBER_ANOMALIES)[number]

/** How a stream lives: its noise, and what of it follows the day. */
export const NUMBER_SHAPES = ['steady', 'noisy', 'constant', 'daily', 'batches'] as const
export type NumberShape = (typeof NUMBER_SHAPES)[number]

export interface NumberOptions {
  readonly seed: number
  /** Each is one identity. */
  readonly streams: number
  readonly days: number
  /** First day, ms since epoch. */
  readonly startTime: number
  /** From this day on, 0 = the first, each stream meets one anomaly. */
  readonly anomaliesFromDay: number
}

/** One anomaly: events of the identity from `from` until before `to` are it. */
export interface NumberCase {
  readonly identity: string
  readonly shape: NumberShape
  readonly anomaly: NumberAnomaly
  /** ms since epoch. */
  readonly from: number
  readonly to: number
}

interface Stream {
  readonly identity: string
  readonly shape: NumberShape
  /** Typical bytes. */
  readonly level: number
  /** Spread of the logarithm. */
  readonly sigma: number
  readonly everyMs: number
  readonly case: NumberCase
}

const SIGMA: Readonly<Record<NumberShape, readonly [number, number]>> = {
  steady: [0.05, 0.2],
  noisy: [0.4, 0.8],
  constant: [0, 0],
  daily: [0.1, 0.3],
  batches: [0.05, 0.2],
}
const LASTS: Readonly<Record<NumberAnomaly, number>> = { level_shift: DAY, spike: HOUR, rhythm: 6 * HOUR }
/** Anomalies in spreads of the stream's own, and at least so many times the usual: a constant has no spread. */
const SHIFT = { sigmas: 4, least: 1.5 }
const SPIKE = { sigmas: 8, least: 3 }
const FASTER = 4

const streamOf = ({ seed, days, startTime, anomaliesFromDay }: NumberOptions, n: number): Stream => {
  const rng = new Rng(seed, hashText('number stream'), n)
  const shape = NUMBER_SHAPES[n % NUMBER_SHAPES.length]!
  const anomaly = NUMBER_ANOMALIES[Math.floor(n / NUMBER_SHAPES.length) % NUMBER_ANOMALIES.length]!
  const [low, high] = SIGMA[shape]
  const identity = `meter-${n}`
  const from = startTime + Math.floor((anomaliesFromDay + rng.unit() * Math.max(0, days - anomaliesFromDay - 2)) * 24) * HOUR
  return {
    identity,
    shape,
    level: rng.logBetween(2_000, 50_000_000),
    sigma: low + rng.unit() * (high - low),
    everyMs: rng.pick([10, 15, 30]) * 60_000,
    case: { identity, shape, anomaly, from, to: from + LASTS[anomaly] },
  }
}

const dayShape = (shape: NumberShape, time: number): number => {
  const hour = (time % DAY) / HOUR
  if (shape === 'daily') return Math.exp(Math.sin(((hour - 6) / 24) * 2 * Math.PI))
  return shape === 'batches' && hour % 6 < 0.5 ? 20 : 1
}

const valueOf = (stream: Stream, time: number, rng: Rng): number => {
  const usual = stream.level * dayShape(stream.shape, time) * Math.exp(stream.sigma * rng.normal())
  const { anomaly, from, to } = stream.case
  if (time < from || time >= to) return Math.round(usual)
  if (anomaly === 'level_shift') return Math.round(usual * Math.max(SHIFT.least, Math.exp(SHIFT.sigmas * stream.sigma)))
  if (anomaly === 'spike') return Math.round(usual * Math.max(SPIKE.least, Math.exp(SPIKE.sigmas * stream.sigma)))
  return Math.round(usual)
}

/** Of this generator times are numbers. */
type TimedEvent = EventInput & { readonly time: number }

const eventsOf = (stream: Stream, seed: number, startTime: number, endTime: number, n: number): TimedEvent[] => {
  const rng = new Rng(seed, hashText('numbers'), n)
  const events: TimedEvent[] = []
  const { anomaly, from, to } = stream.case
  const jitter = stream.shape === 'constant' ? 0 : 0.1
  for (let time = startTime + rng.unit() * stream.everyMs; time < endTime; ) {
    const at = Math.round(time)
    events.push({
      v: 1,
      id: `m${hex32(hashText(stream.identity))}-${events.length}`,
      time: at,
      identity: { id: stream.identity, kind: 'service' },
      action: 'metrics.push',
      resource: { class: 'metrics' },
      outcome: 'success',
      bytesOut: valueOf(stream, at, rng),
    })
    const every = anomaly === 'rhythm' && time >= from && time < to ? stream.everyMs / FASTER : stream.everyMs
    time += every * (1 + jitter * (rng.unit() - 0.5))
  }
  return events
}

/**
 * Streams of one number each, like bytes per interval of one meter: in event-time order, with one anomaly per stream, of the
 * kinds that benchmarks of single streams know (spikes, shifts of the level, changes of rhythm). The same options give the same.
 */
export const generateNumbers = (
  options: NumberOptions,
): { readonly events: readonly TimedEvent[]; readonly cases: readonly NumberCase[] } => {
  const streams = Array.from({ length: options.streams }, (_, n) => streamOf(options, n))
  const endTime = options.startTime + options.days * DAY
  const events = streams.flatMap((stream, n) => eventsOf(stream, options.seed, options.startTime, endTime, n))
  return {
    events: events.sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1)),
    cases: streams.map((stream) => stream.case),
  }
}
