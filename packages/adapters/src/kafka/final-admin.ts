import { PlumblineError } from '@plumbline/schemas'
import type { Admin } from 'kafkajs'

const gone = (): PlumblineError =>
  new PlumblineError('KAFKA_UNREACHABLE', 'The connection to Kafka is closed: this process, or what it opened, is stopping.', {
    retryable: true,
  })

/**
 * An admin client that stays closed. kafkajs connects anew for a call that is made after `disconnect`, or that it tries again then,
 * and leaves that connection open: the process would not end until the broker hangs up, by default after ten minutes.
 */
export const finalAdmin = (admin: Admin): Admin => {
  const underWay = new Set<Promise<unknown>>()
  let closed = false

  const noted = <T>(call: T): T => {
    if (!(call instanceof Promise)) return call
    underWay.add(call)
    const over = (): void => void underWay.delete(call)
    call.then(over, over)
    return call
  }

  const disconnect = async (): Promise<void> => {
    closed = true
    const left = [...underWay]
    await admin.disconnect()
    // Not waited for: what brokers that are away do not answer goes on for as long as it is tried.
    if (left.length > 0) void Promise.allSettled(left).then(() => admin.disconnect().catch(() => {}))
  }

  return new Proxy(admin, {
    get(target, name) {
      if (name === 'disconnect') return disconnect
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => (closed ? Promise.reject(gone()) : noted(Reflect.apply(value, target, args)))
    },
  })
}
