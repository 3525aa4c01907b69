import type { DeploymentLag, ShardLag } from '@plumbline/adapters/kafka'
import type { Command } from 'commander'
import { EXIT } from '../exit.ts'
import type { ClusterFlags } from '../kafka/config.ts'
import { clusterOptions } from '../kafka/options.ts'
import { columns, counted, report } from '../output.ts'
import { examples, type Register } from '../register.ts'

export const registerLag: Register = (program, outputOf) => {
  const command = program
    .command('lag')
    .description('How far workers and recorders of a deployment on Kafka are: per shard and per lane its end, position, lag and owner.')
  clusterOptions(command)
    .addHelpText(
      'after',
      `\nA position is where a worker goes on. Offsets count markers of transactions too, so fewer events than the lag may wait.\nExit code 1 when events wait in a shard that nobody holds.${examples('plumbline lag --kafka-brokers kafka-1:9092', 'plumbline lag --json --config worker.yaml')}`,
    )
    .action(async (flags: ClusterFlags, self: Command) => {
      const { openCluster } = await import('../kafka/config.ts')
      const { readLag } = await import('@plumbline/adapters/kafka')
      const { settings, prefix } = openCluster(flags)
      const lag = await readLag(settings, { prefix })
      const total = lag.shards.reduce((sum, shard) => sum + shard.lag, 0)
      const unowned = lag.shards.filter(({ owner }) => owner === null).length
      await report(outputOf(self), { ...lag, total, unowned }, wordsOf(lag, total, unowned))
      if (lag.shards.some((shard) => shard.owner === null && shard.lag > 0)) process.exitCode = EXIT.failure
    })
}

const tableOf = (head: string, lags: readonly (Omit<ShardLag, 'shard'> & { readonly name: string })[]): string => {
  const number = (n: number): string => n.toLocaleString('en')
  const rows = lags.map(({ name, first, end, position, lag, owner }) => [
    name,
    number(first),
    number(end),
    position === null ? '-' : number(position),
    number(lag),
    owner ?? 'nobody',
  ])
  return columns([[head, 'first', 'end', 'position', 'lag', 'owner'], ...rows])
}

const wordsOf = ({ group, state, members, shards, recorders, lanes }: DeploymentLag, total: number, unowned: number): string => {
  const number = (n: number): string => n.toLocaleString('en')
  const table = tableOf(
    'shard',
    shards.map((shard) => ({ ...shard, name: String(shard.shard) })),
  )
  const laneTable = tableOf(
    'lane',
    lanes.map((lane) => ({ ...lane, name: `${lane.topic}/${lane.lane}` })),
  )
  const waiting = lanes.reduce((sum, { lag }) => sum + lag, 0)
  const laneSum = `${number(waiting)} behind in ${counted(lanes.length, 'lane')} of ${counted(recorders, 'recorder')}`
  const sum = `${number(total)} behind in ${counted(shards.length, 'shard')}; group ${group} is ${state} with ${counted(members, 'member')}`
  return `${table}\n${sum}${unowned === 0 ? '' : `; nobody holds ${counted(unowned, 'shard')}`}\n\n${laneTable}\n${laneSum}`
}
