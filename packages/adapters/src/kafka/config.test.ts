import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { createAuthority } from '../../../../test/support/certificates.ts'
import { KAFKA_FIELDS, type KafkaConfig, checkKafkaConfig, kafkaSettingsOf } from './config.ts'
import { MASTER_KEY_FIELDS, checkMasterKeyConfig, masterKeyOf } from './master-key.ts'

const Schema = z.strictObject({ ...KAFKA_FIELDS }).superRefine(checkKafkaConfig)
const KeySchema = z.strictObject({ ...MASTER_KEY_FIELDS }).superRefine(checkMasterKeyConfig)
const AWAY = { kafkaBrokers: ['kafka-1.internal:9092'] }
const HERE = { kafkaBrokers: ['127.0.0.1:9092', 'localhost:9093', '[::1]:9094'] }
const USER = { kafkaUser: 'worker', kafkaPassword: 'hunter2-hunter2' }
const OAUTH = {
  kafkaSasl: 'oauthbearer' as const,
  kafkaOauthTokenUrl: 'https://login.example.com/token',
  kafkaOauthClientId: 'worker',
  kafkaOauthClientSecret: 'hunter2-hunter2',
}

/** `option: message` of each problem. */
const problems = (schema: z.ZodType, input: object): string[] => {
  const { error } = schema.safeParse(input)
  const found = (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)
  assert.ok(!found.join().includes('hunter2'))
  return found
}
const options = (input: object): string[] => problems(Schema, input).map((text) => text.split(/[.:]/)[0] ?? '')

const folder = (t: TestContext): ((name: string, text: string, mode?: number) => string) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-kafka-config-'))
  t.after(() => rmSync(dir, { recursive: true }))
  return (name, text, mode = 0o600) => {
    const path = join(dir, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }
}

const refusal = (run: () => unknown): { code: string; message: string } => {
  try {
    run()
  } catch (error) {
    return error as { code: string; message: string }
  }
  throw new Error('expected a refusal')
}

test('brokers are host:port, with names, addresses of both families, and ports that exist', () => {
  assert.deepEqual(options({ ...HERE }), [])
  assert.deepEqual(options({ kafkaBrokers: ['kafka_1:9092', '[2001:db8::1]:9092', '10.0.0.1:65535'] }), [])
  for (const wrong of ['kafka', 'kafka:', 'kafka:0', 'kafka:65536', 'http://kafka:9092', 'user:pw@kafka:9092', '::1:9092', '-a:1', ''])
    assert.deepEqual(options({ kafkaBrokers: [wrong] }), ['kafkaBrokers'], wrong)
  assert.deepEqual(options({ kafkaBrokers: [] }), ['kafkaBrokers'])
  assert.deepEqual(options({}), ['kafkaBrokers'])
})

test('credentials do not leave the machine without TLS, unless that is allowed by name', () => {
  const plain = { kafkaSasl: 'plain', ...USER }
  assert.deepEqual(options({ ...HERE, ...plain }), [])
  assert.deepEqual(options({ ...AWAY, ...plain, kafkaTls: true }), [])
  assert.deepEqual(options({ ...AWAY, ...plain, kafkaAllowPlaintext: true }), [])
  const [problem = ''] = problems(Schema, { kafkaBrokers: [...HERE.kafkaBrokers, ...AWAY.kafkaBrokers], ...plain })
  assert.match(problem, /^kafkaSasl: would send credentials to kafka-1\.internal:9092 without TLS: set kafkaTls/)
  for (const almost of ['127.evil.example:9092', 'localhost.example:9092', '[::ffff:10.0.0.1]:9092', '0.0.0.0:9092'])
    assert.deepEqual(options({ kafkaBrokers: [almost], ...plain }), ['kafkaSasl'], almost)
})

test('each kind of SASL needs its own options, and refuses those of another', () => {
  assert.deepEqual(options({ ...HERE, kafkaSasl: 'scram-sha-512' }), ['kafkaUser', 'kafkaPassword'])
  assert.deepEqual(options({ ...HERE, kafkaSasl: 'oauthbearer' }), ['kafkaOauthTokenUrl', 'kafkaOauthClientId', 'kafkaOauthClientSecret'])
  assert.deepEqual(options({ ...HERE, ...OAUTH, kafkaOauthScope: 'kafka' }), [])
  assert.deepEqual(options({ ...HERE, ...OAUTH, ...USER }), ['kafkaUser', 'kafkaPassword'])
  assert.deepEqual(options({ ...HERE, kafkaSasl: 'plain', ...USER, kafkaOauthScope: 'x' }), ['kafkaOauthScope'])
  // A password without kafkaSasl would look like a login that is in force.
  assert.deepEqual(options({ ...HERE, ...USER }), ['kafkaUser', 'kafkaPassword'])
})

test('the token endpoint is https, or http on loopback, and holds no password', () => {
  for (const url of ['https://login.example.com/token', 'http://127.0.0.1:1/token', 'http://localhost/token'])
    assert.deepEqual(options({ ...HERE, ...OAUTH, kafkaOauthTokenUrl: url }), [], url)
  for (const url of ['http://login.example.com/token', 'ftp://login.example.com/', 'https://me:hunter2@login.example.com/', 'login'])
    assert.deepEqual(options({ ...HERE, ...OAUTH, kafkaOauthTokenUrl: url }), ['kafkaOauthTokenUrl'], url)
})

test('certificate and key come together, and only with TLS', () => {
  assert.deepEqual(options({ ...AWAY, kafkaTls: true, kafkaCertFile: 'c' }), ['kafkaKeyFile'])
  assert.deepEqual(options({ ...AWAY, kafkaTls: true, kafkaKeyFile: 'k' }), ['kafkaCertFile'])
  assert.deepEqual(options({ ...AWAY, kafkaCaFile: 'ca' }), ['kafkaCaFile'])
  assert.deepEqual(options({ ...AWAY, kafkaTls: true, kafkaCaFile: 'ca', kafkaCertFile: 'c', kafkaKeyFile: 'k' }), [])
})

test('property: what is accepted never sends credentials in the open to a broker elsewhere', () => {
  const maybe = (key: string, ...values: unknown[]): fc.Arbitrary<object> =>
    fc.oneof(
      fc.constant({}),
      fc.constantFrom(...values).map((value) => ({ [key]: value })),
    )
  const parts = fc.tuple(
    fc.constantFrom({}, {}, USER, OAUTH, { kafkaPassword: 'hunter2' }, { ...OAUTH, kafkaOauthTokenUrl: 'http://localhost/' }),
    maybe('kafkaTls', true, false),
    maybe('kafkaSasl', 'none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'),
    maybe('kafkaAllowPlaintext', true, false),
    fc.constantFrom({}, {}, { kafkaCaFile: 'ca' }, { kafkaCertFile: 'c', kafkaKeyFile: 'k' }, { kafkaKeyFile: 'k' }),
  )
  const brokers = fc.array(fc.constantFrom('localhost:1', '127.0.0.9:1', '[::1]:1', 'a:1', '10.0.0.1:1', '[::2]:1'), { minLength: 1 })
  const arbitrary = fc.tuple(brokers, parts).map(([kafkaBrokers, given]): object => Object.assign({ kafkaBrokers }, ...given) as object)
  let accepted = 0
  fc.assert(
    fc.property(arbitrary, (input) => {
      problems(Schema, input)
      const { data } = Schema.safeParse(input)
      if (data === undefined) return
      accepted += 1
      if (data.kafkaSasl === 'none') {
        assert.equal(data.kafkaPassword ?? data.kafkaOauthClientSecret, undefined)
        return
      }
      const here = data.kafkaBrokers.every((broker) => ['localhost:1', '127.0.0.9:1', '[::1]:1'].includes(broker))
      assert.ok(data.kafkaTls || data.kafkaAllowPlaintext || here)
      assert.ok(data.kafkaSasl === 'oauthbearer' ? data.kafkaOauthClientSecret : data.kafkaPassword)
    }),
    { numRuns: 3_000 },
  )
  assert.ok(accepted > 300, `only ${accepted} accepted`)
})

const settings = (input: object): ReturnType<typeof kafkaSettingsOf> =>
  kafkaSettingsOf(Schema.parse(input) as KafkaConfig, { clientId: 'p' })

test('settings carry what was configured and nothing else', () => {
  assert.deepEqual(settings(AWAY), { brokers: AWAY.kafkaBrokers, clientId: 'p' })
  assert.deepEqual(settings({ ...AWAY, kafkaTls: true }).ssl, {})
  assert.deepEqual(settings({ ...HERE, kafkaSasl: 'scram-sha-512', ...USER }).sasl, {
    mechanism: 'scram-sha-512',
    username: USER.kafkaUser,
    password: USER.kafkaPassword,
  })
  assert.equal(settings({ ...HERE, ...OAUTH }).sasl?.mechanism, 'oauthbearer')
})

test('files of TLS: what is wrong is said with the option and the file, and nothing of what they hold', async (t) => {
  const write = folder(t)
  const [authority, other] = [await createAuthority(), await createAuthority('Other')]
  const own = await authority.issue('worker')
  const ca = write('ca.pem', authority.ca)
  const cert = write('cert.pem', own.cert)
  const key = write('key.pem', own.key)
  const good = { ...AWAY, kafkaTls: true, kafkaCaFile: ca, kafkaCertFile: cert, kafkaKeyFile: key }
  assert.deepEqual(settings(good).ssl, { ca: authority.ca, cert: own.cert, key: own.key })

  const secret = own.key.split('\n')[1] ?? ''
  const says = (input: object, pattern: RegExp): void => {
    const { code, message } = refusal(() => settings({ ...good, ...input }))
    assert.equal(code, 'KAFKA_TLS_FILE')
    assert.match(message, pattern)
    assert.ok(!message.includes(secret))
  }
  says({ kafkaCaFile: `${ca}.not` }, /kafkaCaFile, .*ca\.pem\.not, cannot be read \(ENOENT\)/)
  says({ kafkaCaFile: write('text', 'hello') }, /kafkaCaFile, .*text, holds no PEM certificate/)
  says({ kafkaCaFile: write('cut', authority.ca.slice(0, 150)) }, /kafkaCaFile, .*cut, cannot be used\. Expected PEM certificates/)
  says({ kafkaCertFile: key }, /kafkaCertFile, .*key\.pem, holds no PEM certificate/)
  says({ kafkaKeyFile: cert }, /kafkaKeyFile, .*cert\.pem, cannot be used\. Expected a PEM private key/)
  const stranger = await other.issue('stranger')
  says({ kafkaKeyFile: write('other', stranger.key) }, /kafkaKeyFile, .*other, cannot be used\. Expected the private key that belongs/)
  says({ kafkaKeyFile: write('open.pem', own.key, 0o644) }, /kafkaKeyFile, .*open\.pem, can be used by everybody .*mode 0644.*chmod 600/)
})

test('the master key is given in exactly one way', () => {
  const masterKey = 'aB'.repeat(32)
  assert.deepEqual(masterKeyOf(KeySchema.parse({ masterKey })), Buffer.alloc(32, 0xab))
  assert.match(problems(KeySchema, {})[0] ?? '', /^masterKey: or masterKeyFile is required/)
  assert.match(problems(KeySchema, { masterKey, masterKeyFile: 'f' })[0] ?? '', /^masterKey: and masterKeyFile are both set/)
  for (const wrong of ['', 'a'.repeat(63), 'a'.repeat(65), `${'a'.repeat(63)}g`, `${'a'.repeat(64)}\n`])
    assert.equal(problems(KeySchema, { masterKey: wrong }).length, 1, JSON.stringify(wrong))
})

test('the file of the master key is read when only its owner and group may, and refused with the remedy otherwise', (t) => {
  const write = folder(t)
  const key = 'c'.repeat(64)
  for (const mode of [0o600, 0o400, 0o440])
    assert.deepEqual(masterKeyOf({ masterKeyFile: write(`ok-${mode}`, `${key}\n`, mode) }), Buffer.alloc(32, 0xcc))
  for (const [path, pattern] of [
    [write('open', key, 0o644), /mode 0644\)\. Run: chmod 600 .*open/],
    [write('write', key, 0o602), /mode 0602/],
    [write('short', 'c'.repeat(62)), /64 hexadecimal digits/],
    [join(tmpdir(), 'plumbline-no-such-file'), /ENOENT/],
    [tmpdir(), /mode|EISDIR/],
  ] as const) {
    const { code, message } = refusal(() => masterKeyOf({ masterKeyFile: path }))
    assert.equal(code, 'MASTER_KEY_FILE')
    assert.match(message, pattern)
    assert.ok(!message.includes('cccc'))
  }
  assert.equal(refusal(() => masterKeyOf({})).code, 'MASTER_KEY_MISSING')
})
