export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: Record<string, unknown>
  readonly [other: string]: unknown
}

interface Validator {
  (data: unknown): boolean
  readonly errors?: readonly { readonly instancePath: string; readonly keyword: string; readonly params: unknown }[] | null
}

/** Kinds of operators, whose definitions are not part of Kubernetes. */
const FOREIGN = ['ScaledObject', 'PodMonitor', 'PrometheusRule']

/** The compiled definition of a kind, by the name it has in the API's own description. */
const validatorOf = async ({ apiVersion, kind }: Manifest): Promise<Validator> => {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion]
  const named = [group.split('.')[0] ?? '', version, kind].map((part) => part[0]?.toUpperCase() + part.slice(1)).join('')
  const { validate } = (await import(`kubernetes-models/_schemas/IoK8sApi${named}`)) as { validate: Validator }
  return validate
}

/** An object that notes which of its fields were looked at. */
const watched = (value: object, path: string, unread: Set<string>): object => {
  const inner = new Map<string, unknown>()
  for (const [key, content] of Object.entries(value)) {
    unread.add(`${path}.${key}`)
    inner.set(key, content)
  }
  const seen = new Set<string>()
  return new Proxy(value, {
    get(target, key, receiver) {
      if (typeof key === 'symbol' || !inner.has(key)) return Reflect.get(target, key, receiver) as unknown
      const content = inner.get(key)
      if (!seen.has(key) && typeof content === 'object' && content !== null) inner.set(key, watched(content, `${path}.${key}`, unread))
      seen.add(key)
      unread.delete(`${path}.${key}`)
      return inner.get(key)
    },
  })
}

/**
 * What is wrong with a manifest by the definitions of Kubernetes: wrong types, missing fields, and fields it does not know. The
 * validators pass over unknown fields; but they never look at them, and that is noticed.
 */
export const problemsOf = async (manifest: Manifest): Promise<string[]> => {
  if (FOREIGN.includes(manifest.kind)) return []
  const validate = await validatorOf(manifest)
  const unread = new Set<string>()
  const valid = validate(watched(manifest, '', unread))
  const wrong = valid
    ? []
    : (validate.errors ?? []).map(({ instancePath, keyword, params }) => `${instancePath}: ${keyword} ${JSON.stringify(params)}`)
  return [...wrong, ...[...unread].map((path) => `${path} is not known`)]
}
