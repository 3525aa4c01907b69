import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { inspect } from 'node:util'
import {
  KAFKA_FIELDS,
  type KafkaSettings,
  aclsOf,
  checkKafkaConfig,
  ensureTopics,
  inspectTopics,
  kafkaSettingsOf,
  openKafkaLog,
} from '@plumbline/adapters/kafka'
import type { ChunkCommit } from '@plumbline/detector'
import { z } from 'zod'
import { createAuthority } from '../support/certificates.ts'
import { NoBroker } from '../support/kafka/broker.ts'
import { grant } from '../support/kafka/rights.ts'
import { PASSWORD, startSecureKafka } from '../support/kafka/secure.ts'
import { testKafka, uniquePrefix, warmUp } from '../support/kafka/topics.ts'

const chunk = (shard: number, position: number): ChunkCommit => ({
  shard,
  nextOffset: position + 1,
  slots: [{ key: Buffer.alloc(8, 1), bytes: Buffer.from('slot') }],
  meta: [],
  scored: { schemaVersion: 1, firstOffset: position, lastOffset: position, rows: 1, bytes: Buffer.from('rows') },
  alerts: [],
  capsules: [],
  deadLetters: [],
})

/** Who can speak to a broker with TLS and logins, and what it says to those who cannot. */

const started = await startSecureKafka(['worker', 'nobody']).catch((error: unknown) => {
  if (error instanceof NoBroker) return error.message
  throw error
})
const skip = typeof started === 'string' ? `no Kafka with TLS and logins: ${started}` : false

describe('Kafka with TLS, logins and ACLs', { skip, concurrency: 4 }, async () => {
  if (typeof started === 'string') return
  const { authority, listeners, tokenUrl } = started
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-kafka-security-'))
  after(async () => {
    await started.stop()
    rmSync(dir, { recursive: true })
  })
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const ca = file('ca.pem', authority.ca)
  const Schema = z.strictObject({ ...KAFKA_FIELDS }).superRefine(checkKafkaConfig)
  const settingsOf = (listener: string, options: object): KafkaSettings =>
    kafkaSettingsOf(Schema.parse({ kafkaBrokers: [listeners[listener]], kafkaTls: true, kafkaCaFile: ca, ...options }), {
      clientId: 'plumbline-test',
    })
  const certified = async (name: string, from = authority): Promise<object> => {
    const { cert, key } = await from.issue(name)
    const id = `${name}-${from.ca.length}`
    return { kafkaCertFile: file(`${id}.cert`, cert), kafkaKeyFile: file(`${id}.key`, key) }
  }
  const password = { kafkaUser: 'worker', kafkaPassword: PASSWORD }
  const oauth = { kafkaSasl: 'oauthbearer', kafkaOauthTokenUrl: tokenUrl, kafkaOauthClientId: 'worker', kafkaOauthClientSecret: PASSWORD }
  const ways: Readonly<Record<string, () => KafkaSettings | Promise<KafkaSettings>>> = {
    'SASL PLAIN': () => settingsOf('LOGIN', { kafkaSasl: 'plain', ...password }),
    'SASL SCRAM-SHA-256': () => settingsOf('LOGIN', { kafkaSasl: 'scram-sha-256', ...password }),
    'SASL SCRAM-SHA-512': () => settingsOf('LOGIN', { kafkaSasl: 'scram-sha-512', ...password }),
    'SASL OAUTHBEARER': () => settingsOf('LOGIN', oauth),
    'a certificate of its own': async () => settingsOf('TLS', await certified('worker')),
  }

  await warmUp(started.brokers)
  const prefix = uniquePrefix('security')
  const shards = 5
  const admin = testKafka(started.brokers).admin()
  await admin.connect()
  after(() => admin.disconnect())
  await ensureTopics({ brokers: started.brokers }, { prefix, shards })
  await grant(admin, 'worker', aclsOf('worker', prefix))

  const connects = (settings: KafkaSettings): Promise<unknown> => inspectTopics(settings, { prefix, shards })

  /** The error's code and words; no secret in it or in what it wraps. */
  const refused = async (settings: KafkaSettings, code: string, words: RegExp): Promise<void> => {
    await assert.rejects(connects(settings), (error: unknown) => {
      const { code: own, message, retryable } = error as { code?: string; message: string; retryable?: boolean }
      assert.equal(own, code, message)
      assert.match(message, words)
      assert.equal(retryable, false)
      assert.ok(!inspect(error, { depth: 12 }).includes('hunter2'))
      return true
    })
  }

  for (const [shard, [name, settings]] of Object.entries(ways).entries())
    test(`a worker takes a shard over, commits and reads it back with ${name}`, async (t) => {
      const said: string[] = []
      const onLog: KafkaSettings['onLog'] = (entry) => said.push(JSON.stringify(entry))
      const log = await openKafkaLog({ ...(await settings()), onLog }, { prefix, shards })
      t.after(() => log.close())
      const { nextOffset } = await log.acquire(shard)
      await log.commit([chunk(shard, nextOffset)])
      assert.equal((await log.acquire(shard)).nextOffset, nextOffset + 1)
      assert.ok(!said.join().includes('hunter2'))
    })

  test('a certificate that is not trusted, or for another host, is told with the option to set', async () => {
    const other = await createAuthority('Other')
    const scram = { kafkaSasl: 'scram-sha-512', ...password }
    await refused(settingsOf('LOGIN', { ...scram, kafkaCaFile: file('other.pem', other.ca) }), 'KAFKA_TLS', /set kafkaCaFile/)
    await refused(settingsOf('LOGIN', { ...scram, kafkaCaFile: undefined }), 'KAFKA_TLS', /set kafkaCaFile/)
    const byAnotherName = listeners['LOGIN']?.replace('127.0.0.1', 'localhost')
    await refused(settingsOf('LOGIN', { ...scram, kafkaBrokers: [byAnotherName] }), 'KAFKA_TLS', /is for other names/)
  })

  test('a certificate of this process that is missing or of somebody else is told with its options', async () => {
    await refused(settingsOf('TLS', {}), 'KAFKA_TLS', /check kafkaCertFile and kafkaKeyFile/)
    await refused(settingsOf('TLS', await certified('worker', await createAuthority('Stranger'))), 'KAFKA_TLS', /check kafkaCertFile/)
  })

  test('a wrong password, user, kind of login or client secret is told without it', async () => {
    const wrong = { kafkaUser: 'worker', kafkaPassword: 'hunter2-wrong' }
    for (const kafkaSasl of ['plain', 'scram-sha-256', 'scram-sha-512'])
      await refused(settingsOf('LOGIN', { kafkaSasl, ...wrong }), 'KAFKA_AUTH', /check kafkaUser and kafkaPassword/)
    await refused(settingsOf('LOGIN', { kafkaSasl: 'plain', ...password, kafkaUser: 'x' }), 'KAFKA_AUTH', /check kafkaUser/)
    await refused(settingsOf('LOGIN', { ...oauth, kafkaOauthClientSecret: 'hunter2-wrong' }), 'KAFKA_OAUTH_TOKEN', /401 invalid_client/)
  })

  test('a user without rights is told so, and that it may not see the topics', async () => {
    const nobody = settingsOf('LOGIN', { kafkaSasl: 'plain', ...password, kafkaUser: 'nobody' })
    await assert.rejects(openKafkaLog(nobody, { prefix, shards }), (error: unknown) => {
      const { code, message } = error as { code?: string; message: string }
      assert.equal(code, 'TOPIC_MISSING')
      assert.match(message, /let the user of this process see them \(docs\/security\.md\)/)
      return true
    })
    await assert.rejects(ensureTopics(nobody, { prefix: uniquePrefix('denied'), shards }), (error: unknown) => {
      const { code, message } = error as { code?: string; message: string }
      assert.equal(code, 'KAFKA_ACCESS', message)
      assert.match(message, /TOPIC_AUTHORIZATION_FAILED|CLUSTER_AUTHORIZATION_FAILED/)
      return true
    })
  })

  test('the wrong port is told: TLS where there is none, none where there is, a login where none is wanted', async () => {
    const bare = { kafkaTls: false, kafkaCaFile: undefined }
    await refused(settingsOf('LOGIN', bare), 'KAFKA_TLS', /speak TLS at this port: set kafkaTls to true/)
    await refused(settingsOf('LOGIN', { ...bare, kafkaSasl: 'plain', ...password }), 'KAFKA_TLS', /set kafkaTls to true/)
    await refused(settingsOf('PLAINTEXT', {}), 'KAFKA_TLS', /do not speak TLS at this port/)
    await refused(settingsOf('PLAINTEXT', { ...bare, kafkaSasl: 'plain', ...password }), 'KAFKA_AUTH', /want no login at this port/)
  })
})
