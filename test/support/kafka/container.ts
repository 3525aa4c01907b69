import { createServer } from 'node:net'
import { KAFKA_VERSION, NoBroker, type RunningBroker } from './broker.ts'

/** Apache's own image of Kafka in a container, where a Docker engine answers that has or can get it. */

const IMAGE = `apache/kafka:${KAFKA_VERSION}`
const START_MS = 120_000

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

const environment = (port: number): Record<string, string> => ({
  KAFKA_PROCESS_ROLES: 'broker,controller',
  KAFKA_NODE_ID: '1',
  KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
  KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
  // Clients come back to the advertised address, so the port outside is chosen before the container starts.
  KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
  KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
  KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
  KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
  KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
  KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
  KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
  KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
})

/** Throws NoBroker with the engine's own words where there is no engine or no image. */
export const startContainer = async (): Promise<RunningBroker> => {
  const { GenericContainer, Wait } = await import('testcontainers')
  const port = await freePort()
  try {
    const container = await new GenericContainer(IMAGE)
      .withExposedPorts({ container: 9_092, host: port })
      .withEnvironment(environment(port))
      .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
      .withStartupTimeout(START_MS)
      .start()
    return {
      brokers: [`127.0.0.1:${port}`],
      how: `the image ${IMAGE} in a container`,
      stop: async () => void (await container.stop()),
    }
  } catch (error) {
    throw new NoBroker(`no container of ${IMAGE}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
