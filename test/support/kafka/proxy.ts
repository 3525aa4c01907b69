import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

type SocketFactory = (target: { readonly host: string; readonly port: number; readonly onConnect: () => void }) => Socket

/** Api keys of requests in Kafka's protocol. */
export const FIND_COORDINATOR = 10
export const END_TXN = 26

export interface BrokerProxy {
  /** For KafkaSettings: every connection of that client goes through here, whatever address the broker advertises. */
  readonly socketFactory: SocketFactory
  /**
   * From now on requests arrive, and each answer is lost with its connection: what was asked happens, nobody hears of it.
   * With an api key only the answers to requests of that kind.
   */
  loseAnswers(apiKey?: number): void
  /** The same for the next request of one kind. */
  loseAnswerTo(apiKey: number): void
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

/** Between one client and a broker. */
export const startBrokerProxy = async (broker: string): Promise<BrokerProxy> => {
  const [host, port] = broker.split(':') as [string, string]
  const sockets = new Set<Socket>()
  let losing: 'none' | 'all' | number = 'none'
  let next: number | null = null
  const server = createServer((client) => {
    const upstream = connect(Number(port), host)
    let lost = false
    const onFrames = createFrameReader((apiKey) => {
      if (apiKey === losing) lost = true
      if (apiKey !== next) return
      next = null
      lost = true
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
    client.on('data', (chunk) => {
      onFrames(chunk)
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => (losing === 'all' || lost ? client.destroy() : client.write(chunk)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const own = (server.address() as AddressInfo).port
  return {
    socketFactory: ({ onConnect }) => connect({ host: '127.0.0.1', port: own }, onConnect),
    loseAnswers(apiKey) {
      losing = apiKey ?? 'all'
    },
    loseAnswerTo(apiKey) {
      next = apiKey
    },
    heal() {
      losing = 'none'
      next = null
    },
    unref: () => void server.unref(),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
