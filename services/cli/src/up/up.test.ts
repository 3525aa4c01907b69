import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))

/** Everything that `up` prints until it is stopped. */
const printed = async (t: TestContext, token: string | undefined, port = 0): Promise<{ out: string; all: string; dir: string }> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-up-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLUMBLINE_')))
  const flags = [
    '--no-open',
    '--no-demo',
    '--http-port',
    String(port),
    '--data-dir',
    join(dir, 'data'),
    '--policy-file',
    join(dir, 'none.yaml'),
  ]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'up', ...flags], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Nothing listens there: the store is not what this is about.
    env: { ...env, CLICKHOUSE_URL: 'http://127.0.0.1:9', ...(token === undefined ? {} : { PLUMBLINE_TOKEN: token }) },
  })
  let out = ''
  let all = ''
  child.stderr.on('data', (chunk: Buffer) => (all += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
    all += chunk.toString()
    if (out.includes('Stop with')) child.kill('SIGTERM')
  })
  await once(child, 'close')
  return { out, all, dir: join(dir, 'data') }
}

test('a token that was configured is never printed; the page asks for it', async (t) => {
  const token = 'configured-token-0123456789'
  const { out, all } = await printed(t, token)
  assert.match(out, /^Plumbline is at http:\/\/127\.0\.0\.1:\d+\/\nThe page asks for the configured token\.\nStop with Ctrl-C\.\n$/)
  assert.ok(!all.includes(token))
})

test('a token that was made is in a file of its owner, and in the link that opens the page', async (t) => {
  const { out, dir } = await printed(t, undefined)
  const path = join(dir, 'keys', 'token')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(dir).mode & 0o777, 0o700)
  assert.ok(out.startsWith('Plumbline is at http://127.0.0.1:') && out.includes(`/#token=${readFileSync(path, 'utf8')}\n`), out)
})

test('a port that is taken is told in one sentence, without a stack', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const { all } = await printed(t, undefined, port)
  const said = all.slice(all.indexOf('plumbline: '))
  assert.equal(
    said,
    `plumbline: http did not start: Port ${port} on 127.0.0.1 is taken. Stop what uses it, or set --http-port or PLUMBLINE_HTTP_PORT. [HTTP_PORT_TAKEN]\n`,
  )
  assert.doesNotMatch(all, /"level"|"stack"/)
})
