import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PlumblineError } from '@plumbline/schemas'
import { type EngineLimits, type EngineRole, writeConfig } from './engine-config.ts'

export interface EngineOptions {
  /** Folder of the engine's data and configuration; created when absent. One engine at a time. */
  readonly dir: string
  /** Loopback port; default: a free one. */
  readonly port?: number
  /** Default: random ones, new at each start. */
  readonly passwords?: Readonly<Record<EngineRole, string>>
  /** Most memory the engine may use, bytes. Default 1.5 GiB. */
  readonly memoryBytes?: number
  /** Threads per query. Default 2. */
  readonly threads?: number
  /** How long the engine may take until it answers, ms. Default 30,000. */
  readonly startTimeoutMs?: number
  /** Gets what the engine prints. */
  readonly onOutput?: (text: string) => void
}

export interface Engine {
  readonly url: string
  readonly pid: number
  readonly passwords: Readonly<Record<EngineRole, string>>
  /** Resolves when the process has ended, for whatever reason. Restarting is the caller's decision. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>
  /** Ends the engine in good order; after 10 s the hard way, which loses no acknowledged row either. */
  stop(): Promise<void>
  /** Ends the engine at once with SIGKILL. */
  kill(): Promise<void>
}

const NO_BUILD = 'ENGINE_UNAVAILABLE'

/** Whether the `chdb` package has its engine here, and if not, what to do. */
export const engineProblem = (): PlumblineError | undefined => {
  try {
    const { resolveLibchdb } = createRequire(import.meta.url)('chdb/libchdb') as typeof import('chdb/libchdb')
    resolveLibchdb()
    return undefined
  } catch (cause) {
    return new PlumblineError(
      NO_BUILD,
      `ClickHouse's engine has no build for this platform (${process.platform}-${process.arch}; there are builds for Linux with glibc and macOS, x64 and arm64). ` +
        'Set CLICKHOUSE_URL to a ClickHouse server, for example http://user:password@host:8123.',
      { cause },
    )
  }
}

const portIsFree = (port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause) =>
      reject(new PlumblineError('ENGINE_PORT_TAKEN', `Port ${port} on localhost is taken. Choose another one or leave it out.`, { cause })),
    )
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })

export const randomPasswords = (): Record<EngineRole, string> => ({
  owner: randomBytes(24).toString('base64url'),
  recorder: randomBytes(24).toString('base64url'),
  reader: randomBytes(24).toString('base64url'),
})

/**
 * Starts ClickHouse's engine as a child process listening on loopback only.
 * Errors: ENGINE_UNAVAILABLE (no build here), ENGINE_PORT_TAKEN, ENGINE_DATA_LOCKED, ENGINE_START_FAILED.
 */
export const startEngine = async (options: EngineOptions): Promise<Engine> => {
  const problem = engineProblem()
  if (problem !== undefined) throw problem
  const passwords = options.passwords ?? randomPasswords()
  const limits: EngineLimits = { memoryBytes: options.memoryBytes ?? 1_610_612_736, threads: options.threads ?? 2 }
  const data = join(options.dir, 'data')
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const config = writeConfig(join(options.dir, 'config'), passwords, limits)
  const port = await portIsFree(options.port ?? 0)
  const script = fileURLToPath(new URL(`./engine-child${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
  // Its own process group: Ctrl-C in a terminal must reach Plumbline, which then stops the engine in order.
  const child = spawn(
    process.execPath,
    [script, `--path=${data}`, '--listen_host=127.0.0.1', `--http_port=${port}`, `--config-file=${config}`],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    },
  )
  const url = `http://127.0.0.1:${port}`
  const output = collectOutput(child, options.onOutput)
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  )
  await untilAnswering(child, url, passwords.owner, output, exited, options.startTimeoutMs ?? 30_000)
  return {
    url,
    pid: child.pid ?? 0,
    passwords,
    exited,
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      // Ending the holding query ends the engine's session, which closes its tables.
      await ask(url, passwords.owner, "KILL QUERY WHERE user = '' ASYNC").catch(() => child.kill('SIGKILL'))
      await exited
      clearTimeout(timer)
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

const ask = async (url: string, password: string, sql: string): Promise<string> => {
  const answer = await fetch(url, {
    method: 'POST',
    body: sql,
    headers: { 'X-ClickHouse-User': 'owner', 'X-ClickHouse-Key': password, connection: 'close' },
  })
  if (!answer.ok) throw new Error(await answer.text())
  return answer.text()
}

const collectOutput = (child: ChildProcess, onOutput?: (text: string) => void): (() => string) => {
  let tail = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-4096)
      onOutput?.(chunk.toString())
    })
  }
  return () => tail
}

const startFailure = (output: string): PlumblineError =>
  /Cannot lock file|CANNOT_OPEN_FILE|Another server instance/i.test(output)
    ? new PlumblineError('ENGINE_DATA_LOCKED', 'Another ClickHouse engine uses this data folder. Stop it first.', { retryable: true })
    : new PlumblineError('ENGINE_START_FAILED', `ClickHouse's engine did not start: ${output.trim().slice(-500) || 'no message'}`, {
        retryable: true,
      })

/** Refused until the holding query runs: from then on the user without a password has used up its quota. */
const HOLDING = "SELECT throwIf(count() = 0) FROM system.processes WHERE user = ''"

/** Asks with this start's own password, so that a foreign server on the same port is never taken for the engine. */
const untilAnswering = async (
  child: ChildProcess,
  url: string,
  password: string,
  output: () => string,
  exited: Promise<unknown>,
  timeoutMs: number,
): Promise<void> => {
  let ended = false
  void exited.then(() => (ended = true))
  child.once('error', () => (ended = true))
  const deadline = performance.now() + timeoutMs
  for (;;) {
    if (ended) throw startFailure(output())
    if (
      await ask(url, password, HOLDING).then(
        () => true,
        () => false,
      )
    )
      return
    if (performance.now() > deadline) {
      child.kill('SIGKILL')
      throw startFailure(`no answer within ${timeoutMs} ms. ${output()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
