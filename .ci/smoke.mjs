/* oxlint-disable no-console -- a script that reports */
// `npm start` as a newcomer runs it: it gets ready, explains its first alert, acknowledges an event, stops cleanly.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const READY_MS = 90_000
const ALERT_MS = 90_000
const STOP_MS = 30_000

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

/** Asks until the answer is there or the service has ended. */
const until = async (what, limitMs, service, ask) => {
  const began = performance.now()
  for (;;) {
    if (service.exitCode !== null) throw new Error(`npm start ended with code ${service.exitCode} before ${what}`)
    const answer = await ask().catch(() => undefined)
    const tookMs = Math.round(performance.now() - began)
    if (answer !== undefined) {
      console.log(`${what}: ${tookMs} ms`)
      return answer
    }
    if (tookMs > limitMs) throw new Error(`${what}: not within ${limitMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-smoke-'))
const port = await freePort()
const token = randomBytes(16).toString('hex')
const base = `http://127.0.0.1:${port}`
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
const get = async (path) => {
  const answer = await fetch(base + path, { headers, signal: AbortSignal.timeout(5000) })
  return answer.ok ? answer.json() : undefined
}

const service = spawn('npm', ['start'], {
  cwd: ROOT,
  env: { ...process.env, PLUMBLINE_HTTP_PORT: String(port), PLUMBLINE_DATA_DIR: dataDir, PLUMBLINE_TOKEN: token },
  stdio: ['ignore', 'pipe', 'pipe'],
})
let said = ''
for (const stream of [service.stdout, service.stderr]) stream.on('data', (chunk) => (said = (said + chunk).slice(-8000)))

try {
  await until('ready', READY_MS, service, async () => ((await fetch(`${base}/readyz`)).ok ? true : undefined))
  const event = {
    id: 'smoke-1',
    time: new Date().toISOString(),
    identity: { id: 'smoke', kind: 'agent' },
    action: 'kb.search',
    resource: { class: 'kb' },
  }
  const answer = await fetch(`${base}/v1/events`, { method: 'POST', headers, body: JSON.stringify(event) })
  const counts = await answer.json()
  if (answer.status !== 202 || counts.accepted !== 1) throw new Error(`event not acknowledged: ${answer.status} ${JSON.stringify(counts)}`)
  console.log('event acknowledged')
  const alert = await until(
    'first alert of the demo',
    ALERT_MS,
    service,
    async () => (await get('/v1/alerts?tenant=demo&limit=1'))?.alerts[0],
  )
  console.log(`  ${alert.text.headline}\n  ${alert.text.normal}`)
  service.kill('SIGTERM')
  const timer = setTimeout(() => service.kill('SIGKILL'), STOP_MS)
  const [code, signal] = service.exitCode === null ? await once(service, 'exit') : [service.exitCode, null]
  clearTimeout(timer)
  if (code !== 0) throw new Error(`after SIGTERM it ended with ${signal ?? `code ${code}`}`)
  console.log('stopped cleanly')
} catch (error) {
  console.error(`${error.message}\n--- last words of npm start:\n${said}`)
  process.exitCode = 1
  if (service.exitCode === null) service.kill('SIGTERM')
} finally {
  if (service.exitCode === null && service.signalCode === null)
    await Promise.race([once(service, 'exit'), new Promise((r) => setTimeout(r, STOP_MS))])
  if (service.exitCode === null) service.kill('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
}
