import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type ShardGroup, createShardGroup } from '@plumbline/adapters/kafka'
import kafkajs from 'kafkajs'
import { joinGroup } from '../../packages/adapters/src/kafka/member.ts'
import { commitTo } from '../compliance/shard-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor, code, event } from '../support/kafka/cluster.ts'
import { FIND_COORDINATOR, startBrokerProxy } from '../support/kafka/proxy.ts'

const { brokers, skip } = await kafkaBroker()
const all = Array.from({ length: SHARDS }, (_, shard) => shard)

interface Member {
  readonly group: ShardGroup
  readonly owned: ReadonlySet<number>
  /** Resolves when what the member was told adds up to this. */
  until(wanted: (owned: ReadonlySet<number>) => boolean): Promise<void>
}

/** Keeps the account of what a member was told; a shard assigned twice or revoked without being owned fails the test. */
const join = async (
  t: TestContext,
  { settings, prefix }: Cluster,
  more: object = {},
  onFailed: (error: Error) => void = () => {},
): Promise<Member> => {
  const owned = new Set<number>()
  let changed = (): void => {}
  const group = await createShardGroup(
    { ...settings, ...more },
    {
      prefix,
      shards: SHARDS,
      sessionMs: 6_000,
      onAssigned(shards) {
        for (const shard of shards) {
          assert.ok(!owned.has(shard), `shard ${shard} was assigned twice`)
          owned.add(shard)
        }
        changed()
      },
      onRevoked(shards) {
        for (const shard of shards) assert.ok(owned.delete(shard), `shard ${shard} was revoked without being owned`)
        changed()
      },
      onFailed,
    },
  )
  t.after(() => group.leave())
  return {
    group,
    owned,
    async until(wanted) {
      while (!wanted(owned)) await new Promise<void>((resolve) => (changed = resolve))
    },
  }
}

test('members share all shards among them, and what one leaves goes to the others', { skip, timeout: 60_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const first = await join(t, cluster)
  await first.until(({ size }) => size === SHARDS)
  assert.deepEqual(first.group.owned(), all)
  const second = await join(t, cluster)
  await Promise.all([first.until(({ size }) => size === 2), second.until(({ size }) => size === 2)])
  assert.deepEqual([...first.owned, ...second.owned].sort(), all)
  await second.group.leave()
  assert.deepEqual([...second.owned], [])
  await first.until(({ size }) => size === SHARDS)
})

test('a shard that moves goes on where its former owner stopped, who can store nothing more', { skip, timeout: 60_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const [here, there] = [await cluster.open(), await cluster.open()]
  await here.append(all.flatMap((shard) => [event(shard, 'a'), event(shard, 'b'), event(shard, 'c')]))
  const first = await join(t, cluster)
  await first.until(({ size }) => size === SHARDS)
  for (const shard of all) await here.acquire(shard)
  await here.commit(all.map((shard) => commitTo(shard, 1)))
  const second = await join(t, cluster)
  await Promise.all([first.until(({ size }) => size === 2), second.until(({ size }) => size === 2)])
  const moved = second.group.owned()
  for (const shard of moved) assert.equal((await there.acquire(shard)).nextOffset, 1)
  // The former owner has not heard of it, or has a chunk under way.
  for (const shard of moved) await assert.rejects(here.commit([commitTo(shard, 2)]), code('SHARD_FENCED'))
  await there.commit(moved.map((shard) => commitTo(shard, 2)))
  await here.commit(first.group.owned().map((shard) => commitTo(shard, 3)))
})

test('a member that the brokers have not heard of owns nothing any more when it is back', { skip, timeout: 90_000 }, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const lost = await join(t, cluster, { socketFactory: proxy.socketFactory })
  await lost.until(({ size }) => size === SHARDS)
  proxy.loseAnswers()
  const second = await join(t, cluster)
  // Revoked by itself after its client gave up; assigned to the other after the session.
  await Promise.all([lost.until(({ size }) => size === 0), second.until(({ size }) => size === SHARDS)])
  assert.deepEqual([lost.group.isMember(), second.group.isMember()], [false, true])
  proxy.heal()
  await Promise.all([lost.until(({ size }) => size === 2), second.until(({ size }) => size === 2)])
  assert.deepEqual([...lost.owned, ...second.owned].sort(), all)
})

test('a member whose coordinator cannot be found, for which its client gives up, joins again once it can', {
  skip,
  timeout: 90_000,
}, async (t) => {
  const cluster = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const failed = { times: 0, told: (): void => {} }
  const onFailed = (error: Error): void => {
    assert.ok(code('KAFKA_UNREACHABLE')(error))
    failed.times++
    failed.told()
  }
  const fails = async (times: number): Promise<void> => {
    const enough = failed.times + times
    while (failed.times < enough) await new Promise<void>((resolve) => (failed.told = resolve))
  }
  const member = await join(t, cluster, { socketFactory: proxy.socketFactory }, onFailed)
  await member.until(({ size }) => size === SHARDS)
  proxy.loseAnswers()
  await fails(1)
  proxy.loseAnswers(FIND_COORDINATOR)
  await fails(3)
  assert.deepEqual([...member.owned], [])
  proxy.heal()
  await member.until(({ size }) => size === SHARDS)
})

test('a member whose client waits for ever for an answer is given up, owns nothing, and joins again', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { names, prefix } = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  const { socketFactory } = proxy
  const patient = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING, requestTimeout: 3_600_000, socketFactory })
  const said: string[] = []
  let told = (): void => {}
  const says = (word: string): void => {
    said.push(word)
    told()
  }
  const until = async (wanted: readonly string[]): Promise<void> => {
    while (said.join(' ') !== wanted.join(' ')) await new Promise<void>((resolve) => (told = resolve))
  }
  const config = { groupId: `${prefix}.silent`, sessionTimeout: 6_000, heartbeatInterval: 500, maxWaitTimeInMs: 100 }
  const member = await joinGroup(patient, names.events, config, {
    onJoined: (partitions) => says(`joined ${partitions.length}`),
    onBatch() {},
    onEmpty() {},
    onStopped: () => says('stopped'),
    onFailed: ({ message }) => says(/^No sign of the group for \d+ s\.$/.test(message) ? 'silent' : message),
  })
  t.after(() => member.leave())
  await until([`joined ${SHARDS}`])
  // Connections stay, and nothing comes.
  proxy.delay(3_600_000)
  await until([`joined ${SHARDS}`, 'stopped', 'silent'])
  proxy.heal()
  await until([`joined ${SHARDS}`, 'stopped', 'silent', `joined ${SHARDS}`])
})
