import type { Command } from 'commander'

/** How a command finds its deployment; everything else about Kafka comes from the same file and environment as a service's. */
export const clusterOptions = (command: Command): Command =>
  placeOptions(command).option('--shards <n>', 'its number of shards (default: PLUMBLINE_SHARDS or 64)')

/** The same for commands to which its number of shards is told by the topics themselves. */
export const placeOptions = (command: Command): Command =>
  command
    .option('--config <file>', 'options of a service of the deployment in YAML or JSON; flags and PLUMBLINE_… variables win over it')
    .option('--kafka-brokers <a,b>', 'some brokers, host:port (default: PLUMBLINE_KAFKA_BROKERS)')
    .option('--kafka-prefix <name>', 'first part of the names of its topics (default: PLUMBLINE_KAFKA_PREFIX or plumbline)')
