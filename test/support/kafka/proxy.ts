import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

type SocketFactory = (target: { readonly host: string; readonly port: number; readonly onConnect: () => void }) => Socket

/** Api keys of requests in Kafka's protocol. */
export const PRODUCE = 0
export const FIND_COORDINATOR = 10
export const INIT_PRODUCER_ID = 22
export const ADD_PARTITIONS_TO_TXN = 24
export const END_TXN = 26
export const TXN_OFFSET_COMMIT = 28

export interface BrokerProxy {
  /** Where it listens: host:port. */
  readonly address: string
  /** For KafkaSettings: every connection of that client goes through here, whatever address the broker advertises. */
  readonly socketFactory: SocketFactory
  /**
   * From now on requests arrive, and each answer is lost with its connection: what was asked happens, nobody hears of it.
   * With an api key only the answers to requests of that kind.
   */
  loseAnswers(apiKey?: number): void
  /** The same for the next request of one kind. */
  loseAnswerTo(apiKey: number): void
  /** The next request of one kind arrives, and from then on every answer is lost, its own and those already asked for too. */
  loseAnswersFrom(apiKey: number): void
  /** How many answers were lost to `loseAnswerTo`. */
  lost(): number
  /** From now on everything takes so much longer, each way, ms. */
  delay(ms: number): void
  /** Answers arrive again, and at once. */
  heal(): void
  /** Passes on as long as somebody uses it, and keeps no process alive by itself. */
  unref(): void
  close(): Promise<void>
}

const LENGTH_BYTES = 4

/** Reads the kinds of requests out of a client's stream of frames: length i32, api key i16, the rest. */
const createFrameReader = (onRequest: (apiKey: number) => void) => {
  let rest = Buffer.alloc(0)
  return (chunk: Buffer): void => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= LENGTH_BYTES + 2) {
      const length = LENGTH_BYTES + rest.readInt32BE(0)
      if (rest.length < length) return
      onRequest(rest.readInt16BE(LENGTH_BYTES))
      rest = rest.subarray(length)
    }
  }
}

/** Passes chunks on in their order, each no sooner than `delayMs()` after it came. */
const createPipe = (pass: (chunk: Buffer) => void, delayMs: () => number) => {
  const waiting: Buffer[] = []
  const passNext = (): void => pass(waiting.shift()!)
  return (chunk: Buffer): void => {
    waiting.push(chunk)
    const ms = delayMs()
    if (ms > 0 || waiting.length > 1) setTimeout(passNext, ms).unref()
    else passNext()
  }
}

/** Between clients and a broker. */
export const startBrokerProxy = async (broker: string): Promise<BrokerProxy> => {
  const [host, port] = broker.split(':') as [string, string]
  const sockets = new Set<Socket>()
  let losing: 'none' | 'all' | number = 'none'
  let next: number | null = null
  let last: number | null = null
  let lostNext = 0
  let delayMs = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), host)
    let lost = false
    const onFrames = createFrameReader((apiKey) => {
      if (apiKey === losing) lost = true
      if (apiKey === last) losing = 'all'
      if (apiKey !== next) return
      next = null
      lost = true
      lostNext++
    })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    const up = createPipe(
      (chunk) => {
        onFrames(chunk)
        upstream.write(chunk)
      },
      () => delayMs,
    )
    const down = createPipe(
      (chunk) => (losing === 'all' || lost ? client.destroy() : client.write(chunk)),
      () => delayMs,
    )
    client.on('data', up)
    upstream.on('data', down)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const own = (server.address() as AddressInfo).port
  return {
    address: `127.0.0.1:${own}`,
    socketFactory: ({ onConnect }) => connect({ host: '127.0.0.1', port: own }, onConnect),
    loseAnswers(apiKey) {
      losing = apiKey ?? 'all'
    },
    loseAnswerTo(apiKey) {
      next = apiKey
    },
    loseAnswersFrom(apiKey) {
      last = apiKey
    },
    lost: () => lostNext,
    delay(ms) {
      delayMs = ms
    },
    heal() {
      losing = 'none'
      next = null
      last = null
      delayMs = 0
    },
    unref: () => void server.unref(),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
