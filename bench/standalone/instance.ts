import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findInstance, type InstanceFile } from '@plumbline/runtime'
import { ROOT } from '../lib/paths.ts'

interface Answer {
  readonly status: number
  readonly text: string
}

/** A service of its own, as a user starts it, and the ways to reach it. */
export interface RunningInstance {
  /** POST /v1/events with lines. */
  post(body: Buffer): Promise<Answer>
  /** The one number that a SELECT gives. */
  query(sql: string): Promise<number>
  /** Whether an alert of this identity about something at or after this time is readable. */
  alerted(identity: string, sinceMs: number): Promise<boolean>
  /** Waits until training and writing are over, as far as can be seen from outside: the same model for three seconds. */
  settled(): Promise<void>
  stop(): Promise<void>
}

const START_MS = 60_000
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const untilUp = async (dir: string, child: ChildProcess): Promise<InstanceFile & { store: NonNullable<InstanceFile['store']> }> => {
  for (const start = performance.now(); performance.now() - start < START_MS; await sleep(50)) {
    if (child.exitCode !== null) throw new Error(`the service ended with code ${child.exitCode} while starting`)
    const found = findInstance(dir)
    if (found !== undefined && found.store !== null) return { ...found, store: found.store }
  }
  throw new Error('the service was not up within a minute')
}

const call = (agent: Agent, url: string, method: string, headers: Record<string, string>, body?: Buffer): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const req = request(
      url,
      { agent, method, headers: body === undefined ? headers : { ...headers, 'content-length': String(body.length) } },
      (res) => {
        let text = ''
        res.setEncoding('utf8')
        res.on('data', (part: string) => {
          text += part
        })
        res.on('end', () => resolve({ status: res.statusCode ?? 0, text }))
        res.on('error', reject)
      },
    )
    req.on('error', reject)
    req.end(body)
  })

export const startInstance = async (): Promise<RunningInstance> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
  const args = [
    'services/cli/src/main.ts',
    'up',
    '--no-demo',
    '--no-open',
    '--http-port',
    '0',
    '--data-dir',
    dir,
    '--no-alerts-stdout',
    '--log-level',
    'error',
  ]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], { cwd: ROOT, stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const killer = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(killer)
    agent.destroy()
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    const { url, token, store } = await untilUp(dir, child)
    const bearer = { authorization: `Bearer ${token}` }
    const query = async (sql: string): Promise<number> => {
      const parameters = new URLSearchParams({ query: sql, database: store.database, default_format: 'TSV' })
      const answer = await call(agent, `${store.url}/?${parameters.toString()}`, 'GET', {
        'X-ClickHouse-User': store.user,
        'X-ClickHouse-Key': store.password,
      })
      if (answer.status !== 200) throw new Error(`the store answered ${answer.status}: ${answer.text.slice(0, 300)}`)
      return Number(answer.text.trim())
    }
    return {
      query,
      stop,
      post: (body) => call(agent, `${url}/v1/events`, 'POST', { ...bearer, 'content-type': 'application/x-ndjson' }, body),
      alerted: async (identity, sinceMs) => {
        const parameters = new URLSearchParams({ identity, limit: '5' })
        const answer = await call(agent, `${url}/v1/alerts?${parameters.toString()}`, 'GET', bearer)
        if (answer.status !== 200) throw new Error(`GET /v1/alerts answered ${answer.status}: ${answer.text.slice(0, 300)}`)
        return (JSON.parse(answer.text) as { alerts: { lastSeen: number }[] }).alerts.some((a) => a.lastSeen >= sinceMs)
      },
      settled: async () => {
        let releases = -1
        for (let quiet = 0, tries = 0; quiet < 3 && tries < 60; tries++) {
          await sleep(1_000)
          const now = await query('SELECT count() FROM releases')
          quiet = now === releases ? quiet + 1 : 0
          releases = now
        }
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}
