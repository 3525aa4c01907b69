import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { policyHash } from '@plumbline/detector'
import { DEFAULT_DETECTION_CONFIG, type Alert, Policy, type PolicyInput } from '@plumbline/schemas'
import { remoteTarget } from './remote.ts'
import { replay, type ReplayTarget } from './replay.ts'
import { throwAwayTarget } from './throw-away.ts'
import { alertWords } from './words.ts'

const dir = mkdtempSync(join(tmpdir(), 'plumbline-replay-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const PROGRESS = { at: () => {}, phase: () => {}, end: () => {} }
const START = Date.UTC(2026, 5, 1)

const event = (i: number, more: object = {}): string =>
  JSON.stringify({
    id: `e${i}`,
    time: START + i * 60_000,
    identity: { id: `bot-${i % 4}`, kind: 'agent' },
    session: `s${Math.floor(i / 40)}-${i % 4}`,
    action: i % 3 === 0 ? 'crm.search' : 'crm.read',
    resource: { id: `account/${(i * 31) % 200}`, class: 'crm' },
    bytesIn: 500 + ((i * 17) % 60),
    ...more,
  })

const file = (name: string, lines: readonly string[]): string => {
  const path = join(dir, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

const play = (files: readonly string[], target: ReplayTarget, pace = 0) =>
  replay({ files, format: 'native', tenant: 'default', pace, target, progress: PROGRESS })

test('a throw-away instance alerts, says why in words, and says the same the second time', async () => {
  const usual = Array.from({ length: 2880 }, (_, i) => event(i))
  const theft = event(2880, { action: 'hr.read', resource: { id: 'salaries', class: 'hr', sensitivity: 3 }, session: 'other' })
  const path = file('theft.jsonl', [...usual, 'junk', theft])
  const once = async () => {
    const alerts: Alert[] = []
    const summary = await play(
      [path],
      throwAwayTarget(DEFAULT_DETECTION_CONFIG, async (alert) => void alerts.push(alert)),
    )
    return { alerts, summary }
  }
  const { alerts, summary } = await once()
  assert.equal(summary.events, 2881)
  assert.deepEqual(summary.codes, { JSON_SYNTAX: 1 })
  assert.equal(summary.identities, 4)
  const alert = alerts.find((a) => a.facts.resource.class === 'hr')
  assert.ok(alert !== undefined, `${alerts.length} alerts`)
  assert.match(alertWords(alert), /bot-0.*hr/i)
  assert.match(alertWords(alert), /First: /)
  assert.deepEqual((await once()).alerts, alerts)
})

test('a policy can be tried on history: what it forbids and what it keeps quiet shows', async () => {
  const lines = Array.from({ length: 400 }, (_, i) => event(i))
  const path = file('policy.jsonl', lines)
  const families = async (input: PolicyInput) => {
    const policy = Policy.parse(input)
    const alerts: Alert[] = []
    const target = throwAwayTarget(DEFAULT_DETECTION_CONFIG, async (alert) => void alerts.push(alert), {
      policy: { policy, hash: policyHash(policy) },
    })
    await play([path], target)
    return alerts.map((a) => [a.family, a.facts.identity.id, a.replay.policyHash === policyHash(policy)])
  }
  const rules: PolicyInput['rules'] = [{ id: 'r', identities: 'bot-1', effect: 'deny', classes: ['crm'] }]
  const found = await families({ rules })
  assert.ok(found.length > 0)
  assert.deepEqual(new Set(found.map(String)), new Set(['policy,bot-1,true']))
  const whole = { from: new Date(START).toISOString(), to: new Date(START + 86_400_000).toISOString() }
  assert.deepEqual(await families({ rules, maintenance: [{ name: 'move', ...whole }] }), [])
})

test('a throw-away replay gives the same digest of its outbox, however long its events took', async (t) => {
  const lines = Array.from({ length: 1800 }, (_, i) => event(i))
  const once = (path: string) =>
    play(
      [path],
      throwAwayTarget({ ...DEFAULT_DETECTION_CONFIG, trainAfterEvents: 1000 }, async () => undefined),
    )
  const fast = await once(file('digest.jsonl', lines))
  assert.match(fast.outboxSha256 ?? '', /^[0-9a-f]{64}$/)
  assert.ok(fast.releases?.some((r) => r.withModel))
  // Every look at the clock is a second after the last: alerts are shown, and rows made, at every event.
  let now = performance.now()
  t.mock.method(performance, 'now', () => (now += 1000))
  const slow = await once(file('digest.jsonl', lines))
  assert.deepEqual([slow.outboxSha256, slow.releases], [fast.outboxSha256, fast.releases])
  const other = await once(file('other.jsonl', [...lines.slice(0, -1), event(1799, { bytesIn: 501 })]))
  assert.notEqual(other.outboxSha256, fast.outboxSha256)
})

test('paced replay keeps the time between events', async () => {
  const times: number[] = []
  const target: ReplayTarget = {
    event: async () => void times.push(performance.now()),
    finish: async () => ({ codes: {} }),
  }
  // Three minutes at 1,200 times the speed: 150 ms.
  await play([file('paced.jsonl', [event(0), event(1), event(2), event(3)])], target, 1 / 1200)
  const took = (times.at(-1) ?? 0) - (times[0] ?? 0)
  assert.ok(took >= 145, `${took} ms`)
})

const door = (
  answer: (n: number) => { status: number; body: object } | undefined,
): Promise<{ server: Server; url: string; bodies: string[]; keys: string[]; tokens: string[] }> =>
  new Promise((resolve) => {
    const seen = { bodies: [] as string[], keys: [] as string[], tokens: [] as string[] }
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        seen.bodies.push(Buffer.concat(chunks).toString())
        seen.keys.push(String(request.headers['idempotency-key']))
        seen.tokens.push(String(request.headers.authorization))
        const given = answer(seen.bodies.length)
        if (given === undefined) request.socket.destroy()
        else response.writeHead(given.status, { 'content-type': 'application/json' }).end(JSON.stringify(given.body))
      })
    })
    server.listen(0, '127.0.0.1', () => resolve({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ...seen }))
  })

const accepted = (n: number) => ({ status: 202, body: { accepted: n, rejected: 0, errors: [] } })

test('into a running instance: batches, a busy answer and a lost answer are repeated under the same key', async () => {
  const { server, url, bodies, keys, tokens } = await door((n) =>
    n === 1 ? { status: 503, body: {} } : n === 2 ? undefined : accepted(500),
  )
  try {
    const lines = Array.from({ length: 600 }, (_, i) => event(i))
    const summary = await play([file('remote.jsonl', lines)], remoteTarget(`${url}/`, 'secret'))
    assert.equal(summary.events, 600)
    assert.equal(summary.alerts, undefined)
    assert.equal(new Set(keys.slice(0, 3)).size, 1)
    assert.equal(new Set(bodies.slice(0, 3)).size, 1)
    const sent = [...new Set(bodies)].join('').trimEnd().split('\n')
    assert.equal(sent.length, 600)
    assert.deepEqual([...new Set(tokens)], ['Bearer secret'])
  } finally {
    server.close()
  }
})

test('a refusal that repeating cannot mend ends the replay', async () => {
  const { server, url, bodies } = await door(() => ({ status: 401, body: { code: 'UNAUTHENTICATED' } }))
  try {
    await assert.rejects(play([file('refused.jsonl', [event(0)])], remoteTarget(url, undefined)), {
      code: 'INSTANCE_REFUSED',
      retryable: false,
    })
    assert.equal(bodies.length, 1)
  } finally {
    server.close()
  }
})
