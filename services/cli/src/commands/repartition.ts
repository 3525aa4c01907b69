import { resolve } from 'node:path'
import type { Repartitioned } from '@plumbline/adapters/kafka'
import type { Command } from 'commander'
import type { ClusterFlags } from '../kafka/config.ts'
import { placeOptions } from '../kafka/options.ts'
import { integer } from '../options.ts'
import { counted, report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends Omit<ClusterFlags, 'shards'> {
  readonly shards: number
  readonly toPrefix: string
  readonly workDir: string
  readonly clickhouse?: string
  readonly forgetUnknown?: boolean
}

export const registerRepartition: Register = (program, outputOf) => {
  const command = program
    .command('repartition')
    .description(
      'Move a stopped deployment on Kafka to another number of shards, in new topics. What was learned moves with its identities; events still to be scored too.',
    )
    .requiredOption('--shards <n>', 'the new number', integer(1, 1024))
    .requiredOption('--to-prefix <name>', 'first part of the names of the new topics')
    .requiredOption('--work-dir <folder>', 'a new folder: what is moved is kept there, as a backup')
    .option('--clickhouse <url>', 'ClickHouse of the deployment, which knows names of identities (default: CLICKHOUSE_URL)')
    .option('--forget-unknown', 'leave baselines behind whose identity nobody knows by name; they are learned anew')
  placeOptions(command)
    .addHelpText(
      'after',
      `\nStop the front first, the workers when the lag is none, with SIGTERM. Set kafkaPrefix and shards of all processes afterwards.\nPositions go on behind the former ones. The former topics stay as they are and are not opened any more.${examples(
        'plumbline repartition --shards 128 --to-prefix plumbline-128 --work-dir /backup/move --config worker.yaml --clickhouse http://reader:password@clickhouse:8123',
      )}`,
    )
    .action(async (flags: Flags, self: Command) => {
      const output = outputOf(self)
      const { openCluster } = await import('../kafka/config.ts')
      const { repartition } = await import('@plumbline/adapters/kafka')
      const { identityNames, presentShards } = await import('../kafka/names.ts')
      const { shards, toPrefix, workDir, clickhouse, forgetUnknown, ...place } = flags
      const cluster = openCluster(place)
      const { settings, prefix } = cluster
      const progress = createProgress(output, 'moving', 'steps')
      try {
        const from = await presentShards(cluster)
        const moved = await repartition(settings, {
          prefix,
          from,
          shards,
          toPrefix,
          masterKey: cluster.masterKey(),
          dir: resolve(workDir),
          names: identityNames(clickhouse ?? process.env['CLICKHOUSE_URL'] ?? ''),
          forgetUnknown: forgetUnknown === true,
          onStep: (step) => progress.phase(step),
        })
        progress.end()
        await report(output, { prefix: toPrefix, from, shards, ...moved }, wordsOf(moved, from, flags))
      } finally {
        progress.end()
      }
    })
}

const wordsOf = ({ slots, events, forgotten, openAlertsLeft }: Repartitioned, from: number, { shards, toPrefix }: Flags): string =>
  [
    `Moved from ${from} to ${counted(shards, 'shard')} in the topics of ${toPrefix}: ${counted(slots, 'baseline')}, ${counted(events, 'event')} to be scored.`,
    ...(forgotten === 0
      ? []
      : [`${counted(forgotten, 'baseline')} without a known name stayed behind: those identities are learned anew.`]),
    ...(openAlertsLeft === 0 ? [] : [`${counted(openAlertsLeft, 'open alert group')} will get no closing revision.`]),
    `Set kafkaPrefix to ${toPrefix} and shards to ${shards} everywhere, and start.`,
  ].join('\n')
