import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { PlumblineError } from '@plumbline/schemas'
import { z } from 'zod'
import type { Bases } from './bases.ts'
import type { KafkaValues } from './values.ts'

/** Name of the value that says which deployment a prefix is. Written once, checked by everybody who opens it. */
const NAME = 'deployment'

const Deployment = z.object({
  v: z.literal(1),
  id: z.string(),
  shards: z.number().int().positive(),
  /** Proof of the master key without telling it. */
  keyCheck: z.string(),
  bases: z.object({ events: z.array(z.number().int().min(0)), outbox: z.number().int().min(0) }).default({ events: [], outbox: 0 }),
  /** The deployment goes on under this prefix: nobody may use these topics any more. */
  movedTo: z.string().optional(),
})
export type DeploymentValue = z.output<typeof Deployment>

/** What a deployment is, for those who open it. */
export interface OpenedDeployment {
  /** Names it for ever; topics that it was moved to have another one. */
  readonly id: string
  readonly bases: Bases
}

export interface DeploymentOptions {
  readonly shards: number
  /** 32 secret bytes of the deployment. */
  readonly masterKey: Uint8Array
}

const keyCheckOf = (masterKey: Uint8Array, id: string): string =>
  createHmac('sha256', masterKey).update(`plumbline deployment ${id}`).digest('hex')

const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

const decode = (stored: Uint8Array): DeploymentValue => {
  const read = Deployment.safeParse(JSON.parse(Buffer.from(stored).toString()))
  if (!read.success)
    throw new PlumblineError('STORE_TOO_NEW', 'The topics were made by a build this one does not understand. Start the newer Plumbline.')
  return read.data
}

const checkHere = ({ movedTo }: DeploymentValue): void => {
  if (movedTo !== undefined)
    throw new PlumblineError('DEPLOYMENT_MOVED', `This deployment goes on in the topics of ${movedTo}. Set kafkaPrefix to that.`)
}

/** Errors: SHARDS_FIXED, MASTER_KEY_WRONG, STORE_TOO_NEW, DEPLOYMENT_MOVED. */
const check = (stored: Uint8Array, { shards, masterKey }: DeploymentOptions): OpenedDeployment => {
  const there = decode(stored)
  if (there.shards !== shards) {
    throw new PlumblineError(
      'SHARDS_FIXED',
      `These topics were made for ${there.shards} shards, this process is set to ${shards}. Set it to ${there.shards}, or move to another number with \`plumbline repartition\`.`,
    )
  }
  if (!same(there.keyCheck, keyCheckOf(masterKey, there.id))) {
    throw new PlumblineError(
      'MASTER_KEY_WRONG',
      'The master key is not the one these topics were made with; with another one no identity would be known again. Give every process the same key.',
    )
  }
  checkHere(there)
  return { id: there.id, bases: there.bases }
}

/**
 * Id of the deployment behind these values. The first who opens it decides shards and key, also among several at once; the
 * others are checked against that. Errors: SHARDS_FIXED, MASTER_KEY_WRONG, STORE_TOO_NEW, DEPLOYMENT_MOVED.
 */
export const ensureDeployment = async (values: KafkaValues, options: DeploymentOptions): Promise<OpenedDeployment> => {
  const { shards, masterKey } = options
  const fresh = randomUUID()
  const wanted = { v: 1, id: fresh, shards, keyCheck: keyCheckOf(masterKey, fresh) }
  return check(await values.putOnce(NAME, Buffer.from(JSON.stringify(wanted))), options)
}

const storedIn = (values: Pick<KafkaValues, 'get'>): Uint8Array => {
  const stored = values.get(NAME)
  if (stored === undefined)
    throw new PlumblineError('DEPLOYMENT_MISSING', 'Nobody has opened this deployment yet. Check kafkaPrefix, or run plumbline migrate.')
  return stored
}

/** The same for tools that look at a deployment: one that nobody has opened yet is an error. Also: DEPLOYMENT_MISSING. */
export const checkDeployment = (values: Pick<KafkaValues, 'get'>, options: DeploymentOptions): OpenedDeployment =>
  check(storedIn(values), options)

/** For processes that need no key. Errors: DEPLOYMENT_MISSING, STORE_TOO_NEW, DEPLOYMENT_MOVED. */
export const readDeployment = (values: Pick<KafkaValues, 'get'>): OpenedDeployment & { readonly shards: number } => {
  const there = decode(storedIn(values))
  checkHere(there)
  return { id: there.id, bases: there.bases, shards: there.shards }
}

/** What is stored of it, unchecked. Error: STORE_TOO_NEW. */
export const deploymentValue = (values: Pick<KafkaValues, 'get'>): DeploymentValue | undefined => {
  const stored = values.get(NAME)
  return stored === undefined ? undefined : decode(stored)
}

/** Whether a proof of the key is of this key. */
export const isKeyOf = (keyCheck: string, masterKey: Uint8Array, id: string): boolean => same(keyCheck, keyCheckOf(masterKey, id))

/**
 * Makes topics that were filled with another deployment's content the place where it goes on, under an id of its own. Last of
 * all: before it, nobody can open them. Error: DEPLOYMENT_TAKEN.
 */
export const beginDeployment = async (values: KafkaValues, options: DeploymentOptions, bases: Bases): Promise<string> => {
  const id = randomUUID()
  const wanted = Buffer.from(JSON.stringify({ v: 1, id, shards: options.shards, keyCheck: keyCheckOf(options.masterKey, id), bases }))
  if (Buffer.from(await values.putOnce(NAME, wanted)).equals(wanted)) return id
  throw new PlumblineError('DEPLOYMENT_TAKEN', 'Another process has opened these topics meanwhile. Use another prefix.')
}

/** From now on nobody opens these topics any more. */
export const markMoved = async (values: KafkaValues, movedTo: string): Promise<void> => {
  const there = deploymentValue(values)
  if (there !== undefined) await values.put({ [NAME]: Buffer.from(JSON.stringify({ ...there, movedTo })) })
}
