import type { Command } from 'commander'
import type { ClusterFlags } from '../kafka/config.ts'
import { clusterOptions } from '../kafka/options.ts'
import { EXIT } from '../exit.ts'
import { columns, report } from '../output.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends ClusterFlags {
  readonly create?: boolean
}

export const registerTopics: Register = (program, outputOf) => {
  const command = program
    .command('topics')
    .description(
      'The topics of a deployment on Kafka: partitions, settings, what is wrong with each and how to put it right. Exits with 1 when something is.',
    )
    .option('--create', 'create those that are missing first')
  clusterOptions(command)
    .addHelpText('after', examples('plumbline topics --kafka-brokers kafka-1:9092', 'plumbline topics --config worker.yaml --create'))
    .action(async (flags: Flags, self: Command) => {
      const { openCluster } = await import('../kafka/config.ts')
      const { ensureTopics, inspectTopics } = await import('@plumbline/adapters/kafka')
      const { settings, prefix, shards } = openCluster(flags)
      if (flags.create === true)
        await ensureTopics(settings, { prefix, shards }).catch((error: Error & { code?: string }) => {
          // What is wrong with topics that are there is shown below, of each.
          if (error.code !== 'TOPIC_PARTITIONS' && error.code !== 'TOPIC_SETTINGS') throw error
        })
      const topics = await inspectTopics(settings, { prefix, shards })
      const problems = topics.flatMap((topic) => topic.problems)
      const rows = topics.map(({ name, partitions, replicas, settings: own, problems: wrong }) => [
        name,
        partitions === null ? '-' : String(partitions),
        replicas === null ? '-' : String(replicas),
        own['cleanup.policy'] ?? '-',
        keptFor(own['cleanup.policy'], own['retention.ms']),
        wrong.length === 0 ? 'ok' : wrong.map(({ code }) => code).join(', '),
      ])
      const table = columns([['topic', 'partitions', 'replicas', 'cleanup', 'kept', 'state'], ...rows])
      const words = [table, ...problems.map(({ message }) => `- ${message}`)].join('\n')
      const json = topics.map(({ problems: wrong, ...topic }) => ({
        ...topic,
        problems: wrong.map(({ code, message }) => ({ code, message })),
      }))
      await report(outputOf(self), { topics: json }, words)
      if (problems.length > 0) process.exitCode = EXIT.failure
    })
}

const HOUR_MS = 3_600_000

const keptFor = (policy: string | undefined, retentionMs: string | undefined): string => {
  if (policy === undefined) return '-'
  if (policy === 'compact') return 'newest per key'
  const ms = Number(retentionMs)
  if (ms < 0) return 'for good'
  return ms % (24 * HOUR_MS) === 0 ? `${ms / (24 * HOUR_MS)} d` : `${Math.round(ms / HOUR_MS)} h`
}
