import { type IncomingMessage, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What happens to one request: passed on, passed on but its answer lost, or cut off on the way there. */
export type Fate = 'pass' | 'lose answer' | 'refuse'

export interface Proxy {
  readonly url: string
  close(): Promise<void>
}

/** A proxy in front of ClickHouse that loses answers: the case where a write took effect and the writer cannot know. */
export const startProxy = async (target: string, fate: (sql: string) => Fate): Promise<Proxy> => {
  const upstream = new URL(target)
  const server = createServer((incoming, answer) => {
    const sql = new URL(incoming.url ?? '/', 'http://proxy').searchParams.get('query') ?? ''
    const decided = fate(sql)
    if (decided === 'refuse') {
      incoming.socket.destroy()
      return
    }
    const passed = request(
      { host: upstream.hostname, port: upstream.port, path: incoming.url, method: incoming.method, headers: incoming.headers },
      (reply: IncomingMessage) => {
        if (decided === 'pass') {
          answer.writeHead(reply.statusCode ?? 500, reply.headers)
          reply.pipe(answer)
          return
        }
        // The whole answer has come, so the write has taken effect; the writer sees a broken connection.
        reply.resume().once('end', () => incoming.socket.destroy())
      },
    )
    passed.once('error', () => incoming.socket.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
