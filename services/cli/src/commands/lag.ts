import type { DeploymentLag } from '@plumbline/adapters/kafka'
import type { Command } from 'commander'
import type { ClusterFlags } from '../kafka/config.ts'
import { clusterOptions } from '../kafka/options.ts'
import { columns, counted, report } from '../output.ts'
import { examples, type Register } from '../register.ts'

export const registerLag: Register = (program, outputOf) => {
  const command = program
    .command('lag')
    .description('How far the workers of a deployment on Kafka are: per shard its end, position, lag and owner.')
  clusterOptions(command)
    .addHelpText(
      'after',
      `\nA position is where a worker goes on. Offsets count markers of transactions too, so fewer events than the lag may wait.${examples('plumbline lag --kafka-brokers kafka-1:9092', 'plumbline lag --json --config worker.yaml')}`,
    )
    .action(async (flags: ClusterFlags, self: Command) => {
      const { openCluster } = await import('../kafka/config.ts')
      const { readLag } = await import('@plumbline/adapters/kafka')
      const { settings, prefix } = openCluster(flags)
      const lag = await readLag(settings, { prefix })
      const total = lag.shards.reduce((sum, shard) => sum + shard.lag, 0)
      const unowned = lag.shards.filter(({ owner }) => owner === null).length
      await report(outputOf(self), { ...lag, total, unowned }, wordsOf(lag, total, unowned))
    })
}

const wordsOf = ({ group, state, members, shards }: DeploymentLag, total: number, unowned: number): string => {
  const number = (n: number): string => n.toLocaleString('en')
  const rows = shards.map(({ shard, first, end, position, lag, owner }) => [
    String(shard),
    number(first),
    number(end),
    position === null ? '-' : number(position),
    number(lag),
    owner ?? 'nobody',
  ])
  const table = columns([['shard', 'first', 'end', 'position', 'lag', 'owner'], ...rows])
  const sum = `${number(total)} behind in ${counted(shards.length, 'shard')}; group ${group} is ${state} with ${counted(members, 'member')}`
  return `${table}\n${sum}${unowned === 0 ? '' : `; nobody holds ${counted(unowned, 'shard')}`}`
}
