import { z } from 'zod'
import { ANSWERS, INPUTS, type Json, json, ref, ROUTES, type Route } from './openapi-routes.ts'
import { PROBLEMS } from './problems.ts'

/** Removes what only stands for a document of its own. */
const bare = (schema: z.ZodType, io: 'input' | 'output'): Json => {
  const { $schema: _schema, $id: _id, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json
  return rest
}

/** The named schemas with what they refer to, all side by side. */
const components = (): Json => {
  const out: Json = {}
  const add = (named: Record<string, z.ZodType>, io: 'input' | 'output'): void => {
    for (const [name, schema] of Object.entries(named)) {
      const { $defs, ...own } = bare(schema, io)
      Object.assign(out, $defs, { [name]: own })
    }
  }
  add(INPUTS, 'input')
  add(ANSWERS, 'output')
  return JSON.parse(JSON.stringify(out).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json
}

const parameters = (route: Route): Json[] => {
  const path = [...route.path.matchAll(/\{(\w+)\}/g)].map((m) => ({ name: m[1], in: 'path', required: true, schema: { type: 'string' } }))
  const query = Object.entries(route.query?.shape ?? {}).map(([name, field]) => {
    const schema = bare(field as z.ZodType, 'input')
    return {
      name,
      in: 'query',
      required: !(field as z.ZodType).safeParse(undefined).success,
      schema,
      ...(typeof schema['description'] === 'string' ? { description: schema['description'] } : {}),
    }
  })
  return [...path, ...query, ...(route.headers ?? [])]
}

/** What a refusal needs to be documented. */
interface Refusal {
  readonly status: number
  readonly remedy: string
  readonly retryAfterS?: number
}
export type Refusals = Readonly<Record<string, Refusal>>

const responses = (route: Route, refusals: Refusals): Json => {
  const done = { description: 'Done.', ...(route.answer === undefined ? {} : { content: route.answer }) }
  const out: Json = { [String(route.status ?? 200)]: done }
  for (const code of [...(route.problems ?? []), 'HOST_UNKNOWN']) {
    const known = refusals[code]
    if (known === undefined) continue
    const earlier = out[String(known.status)] as { description: string } | undefined
    out[String(known.status)] = {
      description: `${earlier === undefined ? '' : `${earlier.description} `}${code}: ${known.remedy}`,
      content: json(code === 'EVENTS_REFUSED' ? { anyOf: [ref('IngestRefusal'), ref('ApiError')] } : ref('ApiError')),
      ...(known.retryAfterS === undefined
        ? {}
        : { headers: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } } }),
    }
  }
  return out
}

/** The HTTP API as OpenAPI 3.1, made from the schemas that check it. `more`: refusals of routes that others register. */
export const openApiDocument = (version: string, more: Refusals = {}): Json => {
  const refusals = { ...PROBLEMS, ...more }
  const paths: Record<string, Json> = {}
  for (const route of ROUTES) {
    const operation: Json = { summary: route.summary, parameters: parameters(route), responses: responses(route, refusals) }
    if (route.body !== undefined) operation['requestBody'] = { required: true, content: route.body }
    if (route.open === true) operation['security'] = []
    paths[route.path] = { ...paths[route.path], [route.method]: operation }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Plumbline',
      version,
      description: 'Watches how each AI agent and person behaves and reports departures, with reasons.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: components(),
    },
  }
}
