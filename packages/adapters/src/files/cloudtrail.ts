import { EVENT_LIMITS } from '@plumbline/schemas'
import { addressOrHost, compact, isObject, type JsonObject, own, plain, plainName, scalar, size } from '@plumbline/detector/foreign'
import map from './cloudtrail-map.json' with { type: 'json' }

const RESOURCE = map.resource as Readonly<Record<string, readonly string[]>>
const DESTINATION = map.destination as Readonly<Record<string, readonly string[]>>
const DENIED = new Set(map.denied)

/** One AWS CloudTrail record as an event; tables in cloudtrail-map.json. Bytes keep AWS's direction: Out leaves the service. */
export const cloudtrailToEvent = (record: JsonObject, tenant: string): Record<string, unknown> => {
  const service = (plain(own(record, 'eventSource'), EVENT_LIMITS.nameChars) ?? 'unknown').replace(/\.amazonaws\.com$/, '')
  const operation = plain(own(record, 'eventName'), EVENT_LIMITS.nameChars)
  const action = operation === undefined ? undefined : plain(`${service}:${operation}`, EVENT_LIMITS.nameChars)
  const user = asObject(own(record, 'userIdentity'))
  const parameters = asObject(own(record, 'requestParameters'))
  const additional = asObject(own(record, 'additionalEventData'))
  const origin = addressOrHost(own(record, 'sourceIPAddress'), EVENT_LIMITS.attributeValueChars)
  const error = plain(own(record, 'errorCode'), EVENT_LIMITS.attributeValueChars)
  return {
    id: plain(own(record, 'eventID'), EVENT_LIMITS.idChars),
    // Logstash moves the time into a field of its own.
    time: scalar(own(record, 'eventTime') ?? own(record, '@timestamp')),
    tenant,
    identity: { ...identityOf(user, record), attested: 'aws-cloudtrail' },
    session: plain(own(user, 'accessKeyId'), EVENT_LIMITS.idChars),
    action,
    resource: compact({ id: resourceOf(service, record, parameters), class: service }),
    destination: plain(firstOf(parameters, DESTINATION[action ?? ''] ?? []), EVENT_LIMITS.destinationChars),
    outcome: outcomeOf(record, error),
    bytesIn: size(own(additional, 'bytesTransferredIn')),
    bytesOut: size(own(additional, 'bytesTransferredOut')),
    source: compact({ ip: origin.ip, userAgent: plain(own(record, 'userAgent'), EVENT_LIMITS.userAgentChars) }),
    attributes: compact({
      account: text(own(record, 'recipientAccountId')),
      region: text(own(record, 'awsRegion')),
      error,
      readOnly: flag(own(record, 'readOnly')),
      eventType: text(own(record, 'eventType')),
      sourceHost: origin.host,
      invokedBy: text(own(user, 'invokedBy')),
      mfa:
        text(own(asObject(own(asObject(own(user, 'sessionContext')), 'attributes')), 'mfaAuthenticated')) ??
        text(own(additional, 'MFAUsed')),
      vpcEndpoint: text(own(record, 'vpcEndpointId')),
    }),
  }
}

const asObject = (value: unknown): JsonObject => (isObject(value) ? value : {})
const text = (value: unknown): string | undefined => plain(value, EVENT_LIMITS.attributeValueChars)
const flag = (value: unknown): boolean | undefined =>
  typeof value === 'boolean' ? value : value === 'true' ? true : value === 'false' ? false : undefined

interface Who {
  readonly id: string | undefined
  readonly kind: 'user' | 'service'
  readonly instance?: string
}

/** The lasting principal: a role rather than one session of it, which becomes the instance. */
const identityOf = (user: JsonObject, record: JsonObject): Who => {
  const name = (key: string): string | undefined => plainName(own(user, key), EVENT_LIMITS.identityChars)
  const type = name('type')
  const arn = name('arn')
  if (type === 'AssumedRole' || type === 'FederatedUser') {
    const issuer = asObject(own(asObject(own(user, 'sessionContext')), 'sessionIssuer'))
    const id = plainName(own(issuer, 'arn'), EVENT_LIMITS.identityChars) ?? roleOf(arn) ?? name('principalId')
    const session = plain(arn?.split('/').at(-1) ?? name('principalId')?.split(':')[1], EVENT_LIMITS.nameChars)
    return { id, kind: type === 'AssumedRole' ? 'service' : 'user', ...(session === undefined ? {} : { instance: session }) }
  }
  if (type === 'AWSService' || (type === undefined && name('invokedBy') !== undefined))
    return { id: name('invokedBy') ?? 'aws', kind: 'service' }
  const account = name('accountId') ?? plain(own(record, 'recipientAccountId'), EVENT_LIMITS.nameChars)
  const named =
    name('userName') === undefined || account === undefined ? name('userName') : `arn:aws:iam::${account}:user/${name('userName')}`
  const id = arn ?? plainName(named, EVENT_LIMITS.identityChars) ?? name('principalId') ?? account
  return { id, kind: type === 'AWSAccount' ? 'service' : 'user' }
}

/** `arn:aws:sts::1:assumed-role/NAME/SESSION` without its session. */
const roleOf = (arn: string | undefined): string | undefined => {
  const match = /^arn:([^:]*):sts::([^:]*):assumed-role\/(.+)\/[^/]+$/.exec(arn ?? '')
  return match === null ? arn : `arn:${match[1]}:iam::${match[2]}:role/${match[3]}`
}

const outcomeOf = (record: JsonObject, error: string | undefined): string => {
  if (error !== undefined) return DENIED.has(error) || /AccessDenied|Unauthorized/.test(error) ? 'denied' : 'failure'
  const login = asObject(own(record, 'responseElements'))
  return own(login, 'ConsoleLogin') === 'Failure' ? 'denied' : 'success'
}

const at = (object: unknown, path: string): unknown => {
  let value = object
  for (const step of path.split('.')) {
    if (Array.isArray(value)) value = value[Number(step)]
    else if (isObject(value)) value = own(value, step)
    else return undefined
  }
  return value
}

const firstOf = (object: JsonObject, paths: readonly string[]): string | undefined => {
  for (const path of paths) {
    const value = at(object, path)
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

const resourceOf = (service: string, record: JsonObject, parameters: JsonObject): string | undefined => {
  const named = firstOf(parameters, RESOURCE[service] ?? [])
  const key = service === 's3' ? own(parameters, 'key') : undefined
  const joined = named !== undefined && typeof key === 'string' ? `${named}/${key}` : named
  return plain(joined ?? bySuffix(parameters) ?? firstArn(record), EVENT_LIMITS.resourceChars)
}

const bySuffix = (parameters: JsonObject): string | undefined => {
  for (const suffix of map.suffixes) {
    for (const [key, value] of Object.entries(parameters))
      if (key.endsWith(suffix) && typeof value === 'string' && value !== '') return value
  }
  return undefined
}

const firstArn = (record: JsonObject): string | undefined => {
  const resources = own(record, 'resources')
  if (!Array.isArray(resources)) return undefined
  for (const resource of resources) {
    const arn = isObject(resource) ? (own(resource, 'ARN') ?? own(resource, 'ARNPrefix')) : undefined
    if (typeof arn === 'string' && arn !== '') return arn
  }
  return undefined
}
