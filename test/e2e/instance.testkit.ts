import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { connect, type Store } from '@plumbline/adapters/clickhouse'
import { findInstance } from '@plumbline/runtime'
import type { AlertPage, AlertView, StatusView } from '@plumbline/schemas'

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** `plumbline up` as its own process, as a user runs it. */
export interface Instance {
  readonly url: string
  readonly token: string
  readonly startedAt: number
  output(): string
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: string | Uint8Array, type?: string): Promise<{ readonly status: number; readonly body: T }>
  remove(path: string): Promise<number>
  status(): Promise<StatusView>
  alerts(query: string): Promise<readonly AlertView[]>
  /** The store with read access, once it is up. */
  store(): Promise<Store>
  signal(name: NodeJS.Signals): Promise<Ended>
  readonly ended: Promise<Ended>
}

/** Asks until the answer is there; fails after `limitMs` or when the instance has ended. */
export const until = async <T>(what: string, limitMs: number, ask: () => Promise<T | undefined | false>): Promise<T> => {
  const end = performance.now() + limitMs
  let cause: unknown
  for (;;) {
    const answer = await ask().catch((error: unknown) => void (cause = error))
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms`, { cause })
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

export const startInstance = async (
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<Instance> => {
  const port = await freePort()
  const token = randomBytes(16).toString('hex')
  const url = `http://127.0.0.1:${port}`
  const startedAt = performance.now()
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('PLUMBLINE_') && name !== 'CLICKHOUSE_URL'),
  )
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'up', '--no-open', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...own,
      PLUMBLINE_HTTP_PORT: String(port),
      PLUMBLINE_DATA_DIR: dataDir,
      PLUMBLINE_TOKEN: token,
      PLUMBLINE_POLICY_FILE: `${dataDir}/policy.yaml`,
      ...env,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-20_000)))
  const ended = new Promise<Ended>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const headers = { authorization: `Bearer ${token}` }
  const instance: Instance = {
    url,
    token,
    startedAt,
    output: () => output,
    async get<T>(path: string) {
      const answer = await fetch(url + path, { headers })
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
      return (await answer.json()) as T
    },
    async post<T>(path: string, body: string | Uint8Array, type = 'application/json') {
      const answer = await fetch(url + path, { method: 'POST', headers: { ...headers, 'content-type': type }, body: body as string })
      return { status: answer.status, body: (await answer.json()) as T }
    },
    remove: async (path) => (await fetch(url + path, { method: 'DELETE', headers })).status,
    status: () => instance.get<StatusView>('/v1/status'),
    alerts: async (query) => (await instance.get<AlertPage>(`/v1/alerts?limit=200&${query}`)).alerts,
    store: () =>
      until('the store', 30_000, async () => {
        const access = findInstance(dataDir)?.store
        return access === null || access === undefined ? undefined : connect(access)
      }),
    async signal(name) {
      child.kill(name)
      return ended
    },
    ended,
  }
  return instance
}
