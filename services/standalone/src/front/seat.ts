import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { KafkaDeployment, KafkaValues } from '@plumbline/adapters/kafka'
import { PlumblineError } from '@plumbline/schemas'

const NAME = 'front'

/** The process that trains and delivers for the deployment, in words for whoever looks. */
interface Seat {
  readonly id: string
  readonly host: string
  readonly pid: number
}

const seatIn = (kv: KafkaValues): Seat | null => {
  const bytes = kv.get(NAME)
  return bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString()) as Seat)
}

export interface FrontSeat {
  /** Error: FRONT_REPLACED, from when this process has heard of another front. */
  check(): void
  /** Stops looking. */
  leave(): void
}

/**
 * A deployment has one front: two would train and deliver side by side. Whoever starts last has the seat; the former one is told
 * and has to end.
 */
export const takeSeat = async (kv: KafkaValues, onLost: (words: string) => void): Promise<FrontSeat> => {
  const own: Seat = { id: randomUUID(), host: hostname(), pid: process.pid }
  await kv.put({ [NAME]: Buffer.from(JSON.stringify(own)) })
  let lost: string | null = null
  const look = (): void => {
    const seat = seatIn(kv)
    if (lost !== null || seat === null || seat.id === own.id) return
    lost = `Another front has taken this deployment over (${seat.host}, pid ${seat.pid}); there is one at a time.`
    onLost(lost)
  }
  const off = kv.onChange((names) => names.includes(NAME) && look())
  look()
  return {
    check() {
      look()
      if (lost !== null) throw new PlumblineError('FRONT_REPLACED', lost, { retryable: true })
    },
    leave: off,
  }
}

/**
 * The log as a front has it: once another has the seat nothing is written any more, and no alerts are read to be delivered, however
 * long the parts that do so take to stop.
 */
export const seatedLog = (log: KafkaDeployment, { check }: Pick<FrontSeat, 'check'>): KafkaDeployment => {
  const guarded =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      check()
      return call(...args)
    }
  return {
    ...log,
    ingest: guarded(log.ingest),
    publish: guarded(log.publish),
    append: guarded(log.append),
    kv: { ...log.kv, put: guarded(log.kv.put), putOnce: guarded(log.kv.putOnce) },
    outbox: { ...log.outbox, read: guarded(log.outbox.read), advance: guarded(log.outbox.advance) },
  }
}
