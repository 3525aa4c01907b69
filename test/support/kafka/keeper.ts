// Keeps one Kafka broker for the tests that ask. Prints its port; answers each connection with one line of JSON; starts the
// broker at the first. Ends both when its stdin closes, which happens however the process that started it ends.
import { createServer } from 'node:net'
import { startApacheKafka } from './apache.ts'
import { NoBroker, type RunningBroker, type TestBroker } from './broker.ts'
import { startContainer } from './container.ts'
import { warmUp } from './topics.ts'

const say = (line: string): void => void process.stderr.write(`kafka for tests: ${line}\n`)

const WAYS: readonly (() => Promise<RunningBroker>)[] = [startApacheKafka, startContainer]

/** The first way that is open on this machine, or all reasons why none is. */
const start = async (): Promise<RunningBroker | string> => {
  const reasons: string[] = []
  for (const way of WAYS) {
    try {
      const started = await way()
      await warmUp(started.brokers).catch(async (error: unknown) => {
        await started.stop()
        throw error
      })
      return started
    } catch (error) {
      if (!(error instanceof NoBroker)) throw error
      reasons.push(error.message)
    }
  }
  return reasons.join('; ')
}

let broker: Promise<RunningBroker | string> | undefined

const answer = async (): Promise<TestBroker> => {
  const begun = performance.now()
  const first = broker === undefined
  broker ??= start()
  const result = await broker
  if (typeof result === 'string') {
    if (first) say(`none, these tests skip: ${result}. Or give one: KAFKA_BROKERS=host:port`)
    return { brokers: [], skip: `no Kafka: ${result}` }
  }
  if (first) say(`${result.how} at ${result.brokers.join(',')}, ready after ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  return { brokers: result.brokers, skip: false }
}

const server = createServer((socket) => {
  // A test that is killed while it waits is none of the keeper's business.
  socket.on('error', () => {})
  answer().then(
    (line) => socket.end(JSON.stringify(line)),
    (error: unknown) => {
      say(error instanceof Error ? error.message : String(error))
      socket.destroy()
    },
  )
})

let ending = false

const end = async (): Promise<void> => {
  if (ending) return
  ending = true
  server.close()
  const result = await broker?.catch(() => undefined)
  if (result !== undefined && typeof result !== 'string') await result.stop()
  process.exit(0)
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as { port: number }).port}\n`))
process.stdin
  .on('end', () => void end())
  .on('close', () => void end())
  .resume()
