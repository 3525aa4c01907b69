import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ConfigError, printConfig } from '@plumbline/runtime'
import { loadStandaloneConfig } from './config.ts'

test('fixed names of the environment', () => {
  const { config } = loadStandaloneConfig({
    env: {
      PLUMBLINE_HTTP_PORT: '7171',
      PLUMBLINE_DATA_DIR: 'elsewhere',
      PLUMBLINE_TOKEN: 'a-token-of-some-length',
      CLICKHOUSE_URL: 'http://user:secret@host:8123',
      PLUMBLINE_DEMO: 'false',
      PLUMBLINE_SHARED_DATA: 'not ours',
    },
  })
  assert.deepEqual(
    [config.httpPort, config.dataDir, config.token, config.clickhouseUrl, config.demo],
    [7171, 'elsewhere', 'a-token-of-some-length', 'http://user:secret@host:8123', false],
  )
})

test('printed without secrets', () => {
  const loaded = loadStandaloneConfig({
    env: {
      PLUMBLINE_TOKEN: 'a-token-of-some-length',
      CLICKHOUSE_URL: 'http://user:pass-word@host:8123',
      PLUMBLINE_WEBHOOK_URL: 'https://hooks.example.com/T0/key',
    },
  })
  const text = printConfig(loaded)
  for (const secret of ['a-token-of-some-length', 'pass-word', 'hooks.example.com']) assert.ok(!text.includes(secret), secret)
  assert.match(text, /host +127\.0\.0\.1/)
})

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    loadStandaloneConfig({ env })
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    assert.ok(!error.message.includes('secret-part'), 'the URL of the webhook is a secret')
    return error.problems.map(({ where, message }) => `${where}: ${message}`)
  }
}

test('addresses and the URL of the webhook are checked as part of the configuration, as the docs write them', () => {
  const addresses = (text: string): readonly string[] => problemsOf({ PLUMBLINE_WEBHOOK_ALLOW_ADDRESSES: text })
  const docs = readFileSync(new URL('../../../docs/config.md', import.meta.url), 'utf8')
  const example = /^\| `webhookAllowAddresses`.*Example: `([^`]+)`/m.exec(docs)?.[1]
  assert.ok(example !== undefined)
  assert.deepEqual(addresses(example), [])
  assert.deepEqual(addresses('10.1.0.0/16,nonsense'), [
    'PLUMBLINE_WEBHOOK_ALLOW_ADDRESSES: "nonsense" is no address range; write it like 10.1.0.0/16',
  ])
  assert.match(addresses('["10.1.0.0/16"]')[0] ?? '', /is no address range; write it like 10\.1\.0\.0\/16$/)
  const url = (text: string, more = {}): readonly string[] => problemsOf({ PLUMBLINE_WEBHOOK_URL: text, ...more })
  assert.match(url('http://hooks.example.com/secret-part')[0] ?? '', /^PLUMBLINE_WEBHOOK_URL: must start with https:\/\/.*webhookAllowHttp/)
  assert.deepEqual(url('http://hooks.example.com/secret-part', { PLUMBLINE_WEBHOOK_ALLOW_HTTP: 'true' }), [])
  assert.match(url('https://me:secret-part@hooks.example.com/')[0] ?? '', /must not carry a user name or password/)
  assert.equal(url('nonsense').length, 1)
})

test('a wrong name is refused with the right one', () => {
  assert.throws(
    () => loadStandaloneConfig({ env: { PLUMBLINE_HTTP_PROT: '7071' } }),
    (error) => error instanceof ConfigError && /did you mean PLUMBLINE_HTTP_PORT/.test(error.message),
  )
})
