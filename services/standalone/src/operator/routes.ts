import { tokenCheck } from '@plumbline/console'
import type { createGateway } from '@plumbline/gateway'
import {
  type AnnounceAnswer,
  AnnounceRequest,
  type ApiError,
  type ChangesAnswer,
  ChangesRequest,
  type EraseAnswer,
  EraseRequest,
  type FeedAnswer,
  FeedHeader,
  type HistoryAnswer,
  HistoryRequest,
  inWords,
  type PlacesAnswer,
  PlacesRequest,
  PlumblineError,
  type ReleaseAnswer,
  ReleaseRequest,
  type ReleasesAnswer,
  ReleasesRequest,
  type RestoreAnswer,
  RestoreRequest,
  type SettleAnswer,
  SettleRequest,
  type TrainAnswer,
  TrainRequest,
  type WithdrawAnswer,
  WithdrawRequest,
} from '@plumbline/schemas'
import type { z } from 'zod'

export type App = ReturnType<typeof createGateway>

/** What the operator of the machine may ask for. Parts that are not up yet throw STARTING. */
export interface Operator {
  feed(header: FeedHeader, lines: readonly Uint8Array[]): Promise<FeedAnswer>
  places(request: PlacesRequest): Promise<PlacesAnswer>
  settle(request: SettleRequest): Promise<SettleAnswer>
  history(request: HistoryRequest): Promise<HistoryAnswer>
  train(request: TrainRequest): Promise<TrainAnswer>
  releases(request: ReleasesRequest): Promise<ReleasesAnswer>
  release(request: ReleaseRequest): Promise<ReleaseAnswer>
  restore(request: RestoreRequest): Promise<RestoreAnswer>
  erase(request: EraseRequest): Promise<EraseAnswer>
  changes(request: ChangesRequest): Promise<ChangesAnswer>
  announce(request: AnnounceRequest): Promise<AnnounceAnswer>
  withdraw(request: WithdrawRequest): Promise<WithdrawAnswer>
}

const BODY_BYTES = 16 * 1024 * 1024
const MAX_LINES = 5000
const NEWLINE = 10

/** Refusals of the operator's routes by code. */
export const REFUSALS: Readonly<Record<string, { readonly status: number; readonly remedy: string }>> = {
  OPERATOR_ONLY: {
    status: 403,
    remedy: 'Run the command on the machine of the instance, as the user that owns its data folder (--data-dir).',
  },
  REQUEST_INVALID: { status: 400, remedy: 'Use the command line of the same version as the instance.' },
  TENANT_RESERVED: { status: 400, remedy: 'Give another name with --tenant, or leave it out.' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, remedy: 'Run the command again: its requests get new keys.' },
  RELEASE_UNKNOWN: { status: 404, remedy: 'See plumbline release list for the releases of the tenant.' },
  RELEASE_IN_FORCE: { status: 409, remedy: 'Nothing is to be done.' },
  RELEASE_HELD: { status: 409, remedy: 'Read why it was held back; use plumbline release promote where you know better.' },
  RELEASE_GONE: { status: 410, remedy: 'Choose another release, or train a new one with plumbline train.' },
  RELEASE_UNSUPPORTED: { status: 409, remedy: 'Choose a release that this build made, or train a new one with plumbline train.' },
  CHANGE_INVALID: { status: 400, remedy: 'Correct what the message names and announce it again.' },
  CHANGE_ID_REUSED: { status: 409, remedy: 'Announce it under another id, or leave the id out.' },
  CHANGES_FULL: { status: 409, remedy: 'Withdraw what is over, or announce shorter windows.' },
  CHANGE_UNKNOWN: { status: 404, remedy: 'See plumbline changes list for the changes that are open.' },
  TENANT_UNKNOWN: { status: 404, remedy: 'Check --tenant; only tenants that sent events can be asked for.' },
}

const AGAIN = { status: 503, remedy: 'Try again in a few seconds.' }
const OURS = { status: 500, remedy: 'See the log of the service.' }

/** The machine itself: 127.0.0.0/8 and ::1, also as an IPv4 address in IPv6. */
const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && (address === '::1' || /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address))

const parse = <T extends z.ZodType>(schema: T, input: unknown): z.output<T> => {
  const result = schema.safeParse(input, { error: inWords })
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new PlumblineError('REQUEST_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`)
}

const json = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    throw new PlumblineError('REQUEST_INVALID', 'The request is not JSON.')
  }
}

const linesOf = (body: Buffer): Uint8Array[] => {
  const lines: Uint8Array[] = []
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(NEWLINE, start)
    const end = found < 0 ? body.length : found
    if (end > start) lines.push(body.subarray(start, end))
    start = end + 1
  }
  if (lines.length > MAX_LINES + 1) throw new PlumblineError('REQUEST_INVALID', `More than ${MAX_LINES} events.`)
  return lines
}

/**
 * POST /v1/operator/{feed,places,settle,history,train,releases,release,restore,erase,changes,announce,withdraw}: what sets arrival times, starts work or deletes. Asks for the key of this
 * start and for a caller on this machine; a sender's token is not enough.
 */
export const operatorRoutes =
  (key: string, operator: Operator) =>
  async (app: App): Promise<void> => {
    const good = tokenCheck(key)
    app.addHook('onRequest', async (request) => {
      const presented = /^Bearer +(\S{1,512})$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
      if (isLoopback(request.socket.remoteAddress) && good(presented)) return
      throw new PlumblineError('OPERATOR_ONLY', 'Only the operator of this machine may ask for this.')
    })
    app.setErrorHandler((error, request, reply) => {
      const code = error instanceof PlumblineError ? error.code : 'INTERNAL'
      const retryable = error instanceof PlumblineError && error.retryable
      const { status, remedy } = REFUSALS[code] ?? (retryable ? AGAIN : OURS)
      if (status >= 500 && !retryable) request.log.error({ err: error }, 'operator request failed')
      const message = error instanceof PlumblineError ? error.message : 'The request failed inside the service.'
      return reply.code(status).send({ code, message, remedy } satisfies ApiError)
    })
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES }, (_request, body, done) => done(null, body))
    const bodyOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0))

    app.post('/v1/operator/feed', async (request) => {
      const [head, ...lines] = linesOf(bodyOf(request.body))
      return operator.feed(parse(FeedHeader, json(head ?? Buffer.alloc(0))), lines)
    })
    app.post('/v1/operator/places', async (request) => operator.places(parse(PlacesRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/settle', async (request) => operator.settle(parse(SettleRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/history', async (request) => operator.history(parse(HistoryRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/train', async (request) => operator.train(parse(TrainRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/releases', async (request) => operator.releases(parse(ReleasesRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/release', async (request) => operator.release(parse(ReleaseRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/restore', async (request) => operator.restore(parse(RestoreRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/changes', async (request) => operator.changes(parse(ChangesRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/announce', async (request) => operator.announce(parse(AnnounceRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/withdraw', async (request) => operator.withdraw(parse(WithdrawRequest, json(bodyOf(request.body)))))
    app.post('/v1/operator/erase', async (request) => operator.erase(parse(EraseRequest, json(bodyOf(request.body)))))
  }
