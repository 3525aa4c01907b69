import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createLogger } from '@plumbline/runtime'
import type { ChangeAnswer, ChangePage, ChangesAnswer } from '@plumbline/schemas'
import { loadStandaloneConfig, type Standalone, startStandalone } from '@plumbline/standalone'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-cli-changes-'))
let service: Standalone

before(async () => {
  const own = { httpPort: 0, dataDir, shards: 2, demo: false, alertsStdout: false, policyFile: join(dataDir, 'policy.yaml') }
  service = await startStandalone(
    // Nothing listens there: the log takes what it gets, the rows wait.
    { ...loadStandaloneConfig({ env: {} }).config, ...own, clickhouseUrl: 'http://127.0.0.1:9' },
    { logger: createLogger({ name: 'test', level: 'silent' }) },
  )
})
after(async () => {
  await service.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}
/** The instance is in this process, so that nothing here may block. */
const changes = (...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'changes', ...args, '--data-dir', dataDir], (error, out, err) => {
      resolve({ status: error === null ? 0 : Number(error.code), out, err })
    })
  })

test('announce, list, withdraw with the rights of the operator', async () => {
  const announce = ['announce', '--model', 'alpha-2', '--identities', 'support-*', 'triage', '--reason', 'New model', '--id', 'run-1']
  const first = await changes(...announce, '--by', 'jane', '--ticket', 'CHG-7', '--from', new Date().toISOString())
  assert.equal(first.status, 0, first.err)
  assert.match(first.out, /^Change run-1 of tenant default is announced: from .* until /)
  const table = await changes('list')
  assert.match(table.out, /change\s+state\s+what\s+scope\s+from \(UTC\)\s+until \(UTC\)\s+received \(UTC\)\s+announced by\s+reason/)
  assert.match(table.out, /run-1\s+open\s+model alpha-2\s+support-\*, triage\s.*jane, operator\s+New model; CHG-7/)
  assert.match((await changes('withdraw', 'run-1')).out, /is withdrawn/)
  const { changes: lines } = JSON.parse((await changes('list', '--json')).out) as ChangesAnswer
  assert.deepEqual(
    lines.map(({ change, state }) => [change.id, state]),
    [['run-1', 'withdrawn']],
  )
  const answer = await fetch(`${service.url}/v1/changes`, { headers: { authorization: `Bearer ${service.token}` } })
  assert.deepEqual(
    ((await answer.json()) as ChangePage).changes.map(({ id, state, actor, ticket }) => [id, state, actor, ticket]),
    [['run-1', 'withdrawn', 'operator', 'CHG-7']],
    'readers see the same',
  )
  const again = await changes('withdraw', 'run-1')
  assert.deepEqual([again.status, /CHANGE_UNKNOWN/.test(again.err)], [1, true])
})

test('what is missing is told by its name', async () => {
  for (const [args, words] of [
    [['announce', '--all', '--reason', 'x'], /what: must name at least one of release, model, prompt, tools, code/],
    [['announce', '--model', 'x', '--reason', 'x'], /scope: must name identities or peerGroups/],
    [['announce', '--model', 'x', '--all', '--reason', 'x', '--until', '2020-01-01T00:00:00Z'], /until: is not after from/],
    [['withdraw', 'nobody-knows'], /CHANGE_UNKNOWN/],
  ] as const) {
    const { status, err } = await changes(...args)
    assert.ok(status !== 0, args.join(' '))
    assert.match(err, words)
  }
})

test('a key made here signs what the service takes; its name and its files are not used twice', async () => {
  const out = join(dataDir, 'deploy.pem')
  const made = await changes('key', 'ci', '--out', out, '--tenant', 'acme')
  assert.equal(made.status, 0, made.err)
  assert.equal(statSync(out).mode & 0o777, 0o600)
  const body = JSON.stringify({
    what: { tools: '*' },
    scope: { all: true },
    from: new Date().toISOString(),
    reason: 'New tools',
    by: 'joe',
  })
  const answer = await fetch(`${service.url}/v1/changes`, {
    method: 'POST',
    headers: { 'plumbline-key': 'ci', 'plumbline-signature': sign(null, Buffer.from(body), readFileSync(out)).toString('base64') },
    body,
  })
  assert.deepEqual([answer.status, ((await answer.json()) as ChangeAnswer).tenant], [201, 'acme'])
  const table = await changes('list', '--tenant', 'acme')
  assert.match(table.out, /joe, deploy key ci/)
  assert.match((await changes('key', 'ci', '--out', join(dataDir, 'other.pem'))).err, /registered .* already/)
  assert.match((await changes('key', 'cd', '--out', out)).err, /cannot be written .* EEXIST/)
  assert.match((await changes('key', 'no spaces', '--out', join(dataDir, 'x.pem'))).err, /name of a key must be letters/)
})
