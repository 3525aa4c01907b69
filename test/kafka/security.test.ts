import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import {
  ACL_SERVICES,
  type AclService,
  KAFKA_FIELDS,
  type KafkaSettings,
  aclCommands,
  aclsOf,
  checkKafkaConfig,
  createLaneGroup,
  createShardGroup,
  ensureDeployment,
  ensureTopics,
  inspectTopics,
  kafkaSettingsOf,
  openKafkaDeployment,
  openKafkaLog,
  openKafkaOutboxLog,
  openKafkaValues,
  readLag,
  readStateSlots,
  topicNames,
} from '@plumbline/adapters/kafka'
import type { ChunkCommit } from '@plumbline/detector'
import { SCORED_SCHEMA_VERSION, TOPICS } from '@plumbline/schemas'
import { z } from 'zod'
import { brokerErrorType, createKafka } from '../../packages/adapters/src/kafka/client.ts'
import { TOPIC_KINDS } from '../../packages/adapters/src/kafka/topics.ts'
import { createAuthority } from '../support/certificates.ts'
import { NoBroker } from '../support/kafka/broker.ts'
import { event } from '../support/kafka/cluster.ts'
import { grant } from '../support/kafka/rights.ts'
import { PASSWORD, SESSION_MS, startSecureKafka } from '../support/kafka/secure.ts'
import { testKafka, uniquePrefix, warmUp } from '../support/kafka/topics.ts'

const SLOT_KEY = Buffer.alloc(8, 1)

const chunk = (shard: number, position: number): ChunkCommit => ({
  shard,
  nextOffset: position + 1,
  slots: [{ key: SLOT_KEY, bytes: Buffer.from('slot') }],
  meta: [],
  scored: { schemaVersion: SCORED_SCHEMA_VERSION, firstOffset: position, lastOffset: position, rows: 1, bytes: Buffer.from('rows') },
  alerts: [],
  capsules: [],
  deadLetters: [],
})

/** Who can speak to a broker with TLS and logins, and what it says to those who cannot. */

const started = await startSecureKafka([...ACL_SERVICES, 'nobody']).catch((error: unknown) => {
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
  const shards = 6
  const admin = testKafka(started.brokers).admin()
  await admin.connect()
  after(() => admin.disconnect())
  await ensureTopics({ brokers: started.brokers }, { prefix, shards })
  for (const service of ACL_SERVICES) await grant(admin, service, aclsOf(service, prefix))
  /** Topics that get records nobody understands. */
  const spoilt = uniquePrefix('spoilt')
  await ensureTopics({ brokers: started.brokers }, { prefix: spoilt, shards: 1 })
  for (const service of ACL_SERVICES) await grant(admin, service, aclsOf(service, spoilt))
  const as = (service: AclService): KafkaSettings => settingsOf('LOGIN', { kafkaSasl: 'scram-sha-512', ...password, kafkaUser: service })

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

  test('logins that end are renewed on open connections while they are at work', async (t) => {
    const log = await openKafkaLog(settingsOf('LOGIN', oauth), { prefix, shards })
    t.after(() => log.close())
    const shard = shards - 1
    let { nextOffset } = await log.acquire(shard)
    const until = performance.now() + SESSION_MS + 1_500
    for (; performance.now() < until; nextOffset++) {
      await log.commit([chunk(shard, nextOffset)])
      await sleep(200)
    }
    assert.equal((await log.acquire(shard)).nextOffset, nextOffset)
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

  test('a deployment is made, opened, fed and looked at by users with the rights that are listed', async (t) => {
    const own = uniquePrefix('rights')
    for (const service of ACL_SERVICES) await grant(admin, service, aclsOf(service, own))
    const masterKey = randomBytes(32)
    const options = { prefix: own, shards: 2 }

    await ensureTopics(as('migrate'), options)
    const made = await openKafkaValues(as('migrate'), { prefix: own })
    t.after(() => made.close())
    await ensureDeployment(made, { shards: 2, masterKey })

    const front = await openKafkaDeployment(as('front'), { ...options, masterKey, door: 'front' })
    t.after(() => front.close())
    const key = { tenant: 't', key: 'k', nowMs: 1, answer: Buffer.from('a') }
    await front.ingest({ records: [event(0, 'one'), event(1, 'two')], values: { note: Buffer.from('n') }, idempotency: key })
    await front.publish('audit', [{ time: 1, tenant: 't', actor: 'a', action: 'test', target: 't', body: {} }])
    await front.publish('feedback', [{ time: 1, tenant: 't', alertId: 'a', identity: 'i', verdict: 'safe', author: 'a', note: '' }])
    await front.kv.put({ 'release:t:1': Buffer.from('a model') })

    const log = await openKafkaLog(as('worker'), options)
    t.after(() => log.close())
    const progress = await openKafkaValues(as('worker'), { prefix: own })
    t.after(() => progress.close())
    assert.equal(String(progress.get('release:t:1')), 'a model')
    const group = await createShardGroup(as('worker'), { ...options, onAssigned: () => {}, onRevoked: () => {}, onFailed: () => {} })
    t.after(() => group.leave())
    await log.acquire(0)
    assert.equal((await log.read(0, 0, 10)).length, 1)
    await log.commit([chunk(0, 0)])
    await progress.put({ 'progress:0': Buffer.from('{}') })

    assert.equal((await front.read(0, 0, 10)).length, 1)
    assert.equal((await front.readSlots([{ shard: 0, key: SLOT_KEY }])).length, 1)
    await front.refreshHeads()
    assert.ok(front.head(0).position > 0)
    assert.equal((await front.outbox.read('alerts', 0, 1_000)).length, 0)
    await front.outbox.advance('forwarder:file', 'alerts', 1)

    const recorder = await openKafkaOutboxLog(as('recorder'), { prefix: own })
    t.after(() => recorder.close())
    const lanes = { prefix: own, lanes: recorder.outbox.lanes('scored'), onAssigned: () => {}, onRevoked: () => {}, onFailed: () => {} }
    const sharing = await createLaneGroup(as('recorder'), lanes)
    t.after(() => sharing.leave())
    for (const topic of TOPICS) await recorder.outbox.read(topic, 0, 1_000)
    assert.equal((await recorder.outbox.read('scored', 0, 1_000)).length, 1)
    await recorder.kv.put({ 'intent:scored:0': Buffer.from('{}') })
    await recorder.outbox.advance('recorder', 'scored', 1)
    await recorder.publish('audit', [{ time: 1, tenant: 't', actor: 'service', action: 'tenant.erased', target: 't', body: {} }])

    assert.equal((await inspectTopics(as('operator'), options)).flatMap(({ problems }) => problems).length, 0)
    assert.equal((await readLag(as('operator'), { prefix: own })).shards.length, 2)
    assert.equal((await readStateSlots(as('operator'), options, [{ shard: 0, key: SLOT_KEY }])).length, 1)
  })

  for (const service of ACL_SERVICES)
    test(`${service} can write no topic but those that are listed, and use no other transactional id`, async (t) => {
      const acls = aclsOf(service, spoilt)
      const names = topicNames(spoilt)
      const producer = createKafka(as(service)).producer({ allowAutoTopicCreation: false, retry: { retries: 0 } })
      await producer.connect()
      t.after(() => producer.disconnect())
      for (const kind of TOPIC_KINDS) {
        const allowed = acls.some(
          ({ resource, name, operations }) => resource === 'topic' && name === names[kind] && operations.includes('Write'),
        )
        const sent = producer.send({ topic: names[kind], messages: [{ key: 'z:security', value: 'x' }] })
        if (allowed) await sent
        else
          await assert.rejects(
            sent,
            (error: unknown) => /_AUTHORIZATION_FAILED/.test(brokerErrorType(error) ?? ''),
            `${service} writes ${kind}`,
          )
      }
      for (const id of ['shard-0', 'door-front', 'once-deployment', 'values-x']) {
        const allowed = acls.some(({ resource, name }) => resource === 'transactional-id' && `${spoilt}.${id}`.startsWith(name))
        const begun = createKafka(as(service)).producer({
          transactionalId: `${spoilt}.${id}`,
          idempotent: true,
          maxInFlightRequests: 1,
          retry: { retries: 1 },
        })
        t.after(() => begun.disconnect())
        const connected = begun
          .connect()
          .then(() => begun.transaction())
          .then((transaction) => transaction.abort())
        if (allowed) await connected
        else
          await assert.rejects(
            connected,
            (error: unknown) => brokerErrorType(error) === 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
            `${service} has ${id}`,
          )
      }
    })

  test('what a worker may not do is refused with the page to look at', async (t) => {
    const log = await openKafkaLog(as('worker'), { prefix, shards })
    t.after(() => log.close())
    await assert.rejects(log.append([event(0, 'forged')]), (error: unknown) => {
      assert.match(
        (error as Error).message,
        /do not let the user of this process do this \(TOPIC_AUTHORIZATION_FAILED\): docs\/security\.md/,
      )
      return true
    })
    const forged = await openKafkaValues(as('worker'), { prefix })
    t.after(() => forged.close())
    await assert.rejects(
      forged.put({ 'release:t:1': Buffer.from('forged') }),
      /TOPIC_AUTHORIZATION_FAILED|VALUES_NOT_STORED|docs\/security\.md/,
    )
    assert.equal(forged.get('release:t:1'), undefined)
    await assert.rejects(openKafkaLog(as('recorder'), { prefix, shards }), (error: unknown) => {
      const { code, message } = error as { code?: string; message: string }
      assert.equal(code, 'KAFKA_ACCESS', message)
      assert.match(message, /GROUP_AUTHORIZATION_FAILED|TOPIC_AUTHORIZATION_FAILED/)
      return true
    })
    await assert.rejects(
      openKafkaLog(as('recorder'), { prefix, shards }).then((opened) => opened.acquire(0)),
      /docs\/security\.md/,
    )
  })

  test('lines for kafka-acls.sh name every right, and quote what a user is called', () => {
    const lines = aclCommands('worker', "User:CN=it's", 'other')
    assert.equal(lines.length, aclsOf('worker').length)
    assert.ok(
      lines.includes(
        `kafka-acls.sh --bootstrap-server "$BROKER" --command-config "$ADMIN" --add --allow-principal 'User:CN=it'\\''s' --operation Write --topic other.scored --resource-pattern-type literal`,
      ),
    )
  })
})
