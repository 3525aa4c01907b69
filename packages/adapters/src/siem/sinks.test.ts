import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { createAddressGuard } from './address.ts'
import { createFileSink } from './file-sink.ts'
import { createStdoutSink } from './stdout-sink.ts'
import { alertFor, product } from './testing.ts'
import { createWebhookSink, signatureOf, type WebhookOptions } from './webhook.ts'

const folder = (t: TestContext): string => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-siem-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1)

test('the file gets one finding a line, rotates by size and closes off a torn line', async (t) => {
  const path = join(folder(t), 'deep', 'alerts.ndjson')
  const sink = createFileSink({ path, product, maxBytes: 9000, keep: 2 })
  for (let n = 0; n < 10; n++) await sink.deliver([alertFor(n)])
  await sink.close()
  const uids = [`${path}.2`, `${path}.1`, path].flatMap((p) => linesOf(p).map((l) => JSON.parse(l).finding_info.uid as string))
  assert.deepEqual(uids, Array.from({ length: 10 }, (_, n) => alertFor(n).id).slice(-uids.length))
  assert.ok(uids.length >= 3)
  appendFileSync(path, '{"torn":')
  const again = createFileSink({ path, product })
  await again.deliver([alertFor(99)])
  await again.close()
  const last = linesOf(path).at(-1) ?? ''
  assert.equal(JSON.parse(last).finding_info.uid, alertFor(99).id)
})

test('a file that cannot be written is an error to try again', async (t) => {
  const dir = folder(t)
  const sink = createFileSink({ path: join(dir, 'x', '\0bad'), product })
  await assert.rejects(sink.deliver([alertFor(1)]), { code: 'ALERT_FILE_WRITE', retryable: true })
  await sink.close()
})

test('stdout gets one line an alert and waits for a slow reader', async () => {
  const out = new PassThrough({ highWaterMark: 64 })
  const chunks: Buffer[] = []
  out.on('data', (c: Buffer) => chunks.push(c))
  await createStdoutSink(out).deliver([alertFor(1), alertFor(2)])
  assert.equal(Buffer.concat(chunks).toString().split('\n').length, 3)
})

test('stdout tells an alert once in full; what becomes of it is a few words', async () => {
  const out = new PassThrough()
  const sink = createStdoutSink(out)
  await sink.deliver([
    alertFor(1, { count: 1 }),
    alertFor(1, { revision: 2, activity: 'update', count: 64, severity: 'critical' }),
    alertFor(2, { revision: 3, activity: 'update', count: 4 }),
    alertFor(1, { revision: 3, activity: 'close', count: 128 }),
    alertFor(3, { revision: 2, activity: 'close', count: 1 }),
  ])
  const lines = (out.read() as Buffer).toString().trimEnd().split('\n')
  assert.match(lines[0] ?? '', / HIGH \[default\] support-bot .* First: pause its grant to read HR\. Alert 0+-0000-5000-8000-0+1\.$/)
  assert.match(lines[1] ?? '', /^\S+ CRITICAL \[default\] support-bot, sensitive access … now 64 times\. Alert [\d-]+1\.$/)
  // Of the second nothing was heard before: it was held back by the budget at first, or told by an earlier process.
  assert.match(lines[2] ?? '', / HIGH \(now 4 events\) \[default\] support-bot .* First: /)
  assert.match(lines[3] ?? '', / \[default\] support-bot, sensitive access … over: 128 times\. Alert [\d-]+1\.$/)
  assert.match(lines[4] ?? '', / … over: once\. Alert [\d-]+3\.$/)
})

interface Got {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}
const receiver = async (
  t: TestContext,
  answer: (n: number) => { status: number; headers?: Record<string, string> } | 'hang',
): Promise<{ port: number; got: Got[]; server: Server }> => {
  const got: Got[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (c: Buffer) => (body += c.toString()))
    request.on('end', () => {
      got.push({ headers: request.headers, body })
      const a = answer(got.length)
      if (a !== 'hang') response.writeHead(a.status, a.headers).end('ok')
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, got, server }
}
const SECRET = 'a secret of some length'
const hook = (t: TestContext, url: string, more: Partial<WebhookOptions> = {}) => {
  const sink = createWebhookSink({
    url,
    product,
    secret: SECRET,
    allowHttp: true,
    allowAddresses: ['127.0.0.1'],
    backoffMs: 1,
    answerTimeoutMs: 300,
    now: () => 1_800_000_000_000,
    ...more,
  })
  t.after(() => sink.close())
  return sink
}

test('a delivery is signed, carries the same key on every try, and is tried until taken', async (t) => {
  const { port, got } = await receiver(t, (n) => ({ status: n === 1 ? 503 : n === 2 ? 429 : 204 }))
  await hook(t, `http://127.0.0.1:${port}/h`).deliver([alertFor(5)])
  assert.equal(got.length, 3)
  for (const g of got) {
    assert.equal(g.headers['idempotency-key'], `${alertFor(5).id}:1`)
    assert.equal(g.headers['plumbline-signature'], `t=1800000000,v1=${signatureOf(SECRET, 1_800_000_000, g.body)}`)
    assert.equal(JSON.parse(g.body).alert.id, alertFor(5).id)
  }
})

test('a receiver that is down, slow or wrong about the path keeps the alert for later; a refusal passes it over', async (t) => {
  const hanging = await receiver(t, () => 'hang')
  await assert.rejects(hook(t, `http://127.0.0.1:${hanging.port}/`, { attempts: 1 }).deliver([alertFor(1)]), {
    code: 'WEBHOOK_UNAVAILABLE',
    retryable: true,
  })
  const missing = await receiver(t, () => ({ status: 404 }))
  await assert.rejects(hook(t, `http://127.0.0.1:${missing.port}/`, { attempts: 2 }).deliver([alertFor(1)]), {
    code: 'WEBHOOK_UNAVAILABLE',
    retryable: true,
  })
  const refusing = await receiver(t, () => ({ status: 422 }))
  await assert.rejects(hook(t, `http://127.0.0.1:${refusing.port}/`).deliver([alertFor(1)]), { code: 'WEBHOOK_REFUSED', retryable: false })
  assert.equal(refusing.got.length, 1)
})

test('redirects are not followed', async (t) => {
  const inner = await receiver(t, () => ({ status: 200 }))
  const outer = await receiver(t, () => ({ status: 302, headers: { location: `http://127.0.0.1:${inner.port}/` } }))
  await assert.rejects(hook(t, `http://127.0.0.1:${outer.port}/`, { attempts: 1 }).deliver([alertFor(1)]), { code: 'WEBHOOK_UNAVAILABLE' })
  assert.equal(inner.got.length, 0)
})

test('no spelling of a private address is connected to, neither written nor resolved', async (t) => {
  const { port, got } = await receiver(t, () => ({ status: 200 }))
  const spellings = [
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    'localhost',
    '169.254.169.254',
    '10.0.0.1',
    '[fd00::1]',
    '[fe80::1]',
    '[64:ff9b::7f00:1]',
  ]
  for (const host of spellings)
    await assert.rejects(
      hook(t, `http://${host}:${port}/`, { allowAddresses: [], attempts: 1, connectTimeoutMs: 500 }).deliver([alertFor(1)]),
      { code: 'WEBHOOK_ADDRESS_BLOCKED' },
      host,
    )
  const rebinding = hook(t, `http://hooks.example:${port}/`, {
    allowAddresses: [],
    attempts: 1,
    resolve: (_host, done) =>
      done(null, [
        { address: '93.184.216.34', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]),
  })
  await assert.rejects(rebinding.deliver([alertFor(1)]), { code: 'WEBHOOK_ADDRESS_BLOCKED' })
  assert.equal(got.length, 0)
})

test('what is connected to is looked at too: a resolver whose answer changes after it was checked gets nothing', async (t) => {
  const { port, got } = await receiver(t, () => ({ status: 200 }))
  let reads = 0
  const changing = {
    family: 4,
    // Public while it is checked, this machine when the connection is made.
    get address() {
      return reads++ === 0 ? '93.184.216.34' : '127.0.0.1'
    },
  }
  const sink = hook(t, `http://hooks.example:${port}/`, {
    allowAddresses: [],
    attempts: 1,
    resolve: (_host, done) => done(null, [changing]),
  })
  await assert.rejects(sink.deliver([alertFor(1)]), { code: 'WEBHOOK_ADDRESS_BLOCKED' })
  assert.ok(reads > 1, 'the address was asked for again')
  assert.equal(got.length, 0)
})

test('a URL that is not https, carries a password or has a short secret is refused at once', () => {
  const made = (more: Partial<WebhookOptions>) => () => createWebhookSink({ url: 'https://hooks.example/', product, ...more })
  assert.throws(made({ url: 'http://hooks.example/' }), { code: 'WEBHOOK_URL_INVALID' })
  assert.throws(made({ url: 'file:///etc/passwd', allowHttp: true }), { code: 'WEBHOOK_URL_INVALID' })
  assert.throws(made({ url: 'https://a:b@hooks.example/' }), { code: 'WEBHOOK_URL_INVALID' })
  assert.throws(made({ url: 'nonsense' }), { code: 'WEBHOOK_URL_INVALID' })
  assert.throws(made({ secret: 'short' }), { code: 'WEBHOOK_SECRET_SHORT' })
  for (const range of ['10.0.0.0/99', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/ 8', '::1/129', 'localhost', '["10.1.0.0/16"]', ''])
    assert.throws(made({ allowAddresses: [range] }), { code: 'ADDRESS_RANGE_INVALID' }, range)
})

test('only public addresses and those named pass the guard', () => {
  const guard = createAddressGuard(['10.1.0.0/16', 'fd00:1::/32'])
  for (const a of ['8.8.8.8', '2606:4700::1', '10.1.2.3', 'fd00:1::9', '::ffff:10.1.2.3']) assert.equal(guard(a), true, a)
  for (const a of [
    '10.2.0.1',
    '127.0.0.1',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:a00:1',
    '169.254.169.254',
    'fe80::1',
    'fe80::1%eth0',
    '2002:7f00:1::',
    '192.0.2.1',
    '224.0.0.1',
    '255.255.255.255',
    '100.64.0.1',
    '',
    'x',
    '1.2.3',
  ])
    assert.equal(guard(a), false, a)
})
