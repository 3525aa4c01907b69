import { connect } from 'node:tls'
import { PlumblineError } from '@plumbline/schemas'
import type { Admin, Kafka } from 'kafkajs'
import type { KafkaSettings } from './client.ts'
import { type AccessProblem, WRONG_PORT, WRONG_SCHEME, accessProblem, causesOf, tlsProblem } from './errors.ts'
import { finalAdmin } from './final-admin.ts'

const PROBE_MS = 3_000

/** Whether anybody speaks TLS there, with whatever certificate; nothing is sent. */
const speaksTls = (broker: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(`tls://${broker}`)
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), rejectUnauthorized: false })
    const answer = (yes: boolean) => (): void => {
      socket.destroy()
      resolve(yes)
    }
    socket.setTimeout(PROBE_MS, answer(false))
    socket.on('secureConnect', answer(true)).on('error', answer(false)).on('close', answer(false))
  })

/** Brokers hang up without a word when one side speaks TLS and the other does not. */
const schemeProblem = async ({ brokers, ssl }: KafkaSettings): Promise<AccessProblem | undefined> => {
  const [first] = brokers
  if (first === undefined) return undefined
  const wanted = ssl !== undefined && ssl !== false
  return (await speaksTls(first)) === wanted ? undefined : tlsProblem(wanted ? WRONG_PORT : WRONG_SCHEME)
}

/** What was heard: nobody there is another matter than somebody who hung up. */
const nobodyThere = (error: unknown): boolean =>
  causesOf(error).some((cause) => /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|timeout/i.test(cause.message))

/**
 * The first connection of a process. Errors: KAFKA_TLS, KAFKA_AUTH, KAFKA_ACCESS with the options to look at;
 * KAFKA_OAUTH_TOKEN, KAFKA_UNREACHABLE (both retryable).
 */
export const connectAdmin = async (kafka: Kafka, settings: KafkaSettings): Promise<Admin> => {
  const admin = finalAdmin(kafka.admin())
  try {
    await admin.connect()
    // The first question: who may not log in is told so only now by listeners that let the connection itself through.
    await admin.listTopics()
    return admin
  } catch (cause) {
    await admin.disconnect().catch(() => {})
    const own = causesOf(cause).find((error) => error instanceof PlumblineError)
    if (own !== undefined) throw own
    const problem = accessProblem(cause) ?? (nobodyThere(cause) ? undefined : await schemeProblem(settings))
    if (problem !== undefined) throw new PlumblineError(problem.code, problem.message, { cause })
    const reason = cause instanceof Error ? cause.message : String(cause)
    const text = `No broker of ${settings.brokers.join(', ')} answers: ${reason}. Check kafkaBrokers, and whether the brokers want TLS (kafkaTls) or a login (kafkaSasl).`
    throw new PlumblineError('KAFKA_UNREACHABLE', text, { retryable: true, cause })
  }
}
