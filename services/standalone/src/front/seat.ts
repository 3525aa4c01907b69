import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { KafkaValues } from '@plumbline/adapters/kafka'

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

/**
 * A deployment has one front: two would train and deliver side by side. Whoever starts last has the seat; the former one is told
 * and has to end. Returns how to stop looking.
 */
export const takeSeat = async (kv: KafkaValues, onLost: (to: string) => void): Promise<() => void> => {
  const own: Seat = { id: randomUUID(), host: hostname(), pid: process.pid }
  await kv.put({ [NAME]: Buffer.from(JSON.stringify(own)) })
  let lost = false
  const look = (): void => {
    const seat = seatIn(kv)
    if (lost || seat === null || seat.id === own.id) return
    lost = true
    onLost(`${seat.host}, pid ${seat.pid}`)
  }
  const off = kv.onChange((names) => names.includes(NAME) && look())
  look()
  return off
}
