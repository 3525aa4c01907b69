import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { READ_REFUSALS, WEB_DIR } from '@plumbline/console'
import { createLogger } from '@plumbline/runtime'
import { embeddedContext } from './compose.ts'
import { loadStandaloneConfig } from './config.ts'
import { createApp } from './http.ts'

/** Files of the page, or the words that stand for one that was not built. */
const isPage = (url: string): boolean => url === '/' || existsSync(join(WEB_DIR, url))
/** Between the command line and its instance, of one version. */
const OPERATOR = /^\/v1\/operator\//

/** Routes as fastify has them, and the document it serves. */
const served = async () => {
  const { config } = loadStandaloneConfig({ env: { PLUMBLINE_DATA_DIR: join(tmpdir(), 'plumbline-never-made') } })
  const app = createApp(embeddedContext(config, 'a-token-of-some-length', createLogger({ name: 'test', level: 'silent' })))
  const routes: string[] = []
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) if (each !== 'HEAD') routes.push(`${each} ${url}`)
  })
  const document = (await app.inject('/v1/openapi.json')).json<{ paths: Record<string, Record<string, { responses: object }>> }>()
  await app.close()
  return { routes, document }
}

test('the OpenAPI document has every route that is served, and no other', async () => {
  const { routes, document } = await served()
  // A wildcard, because identities may hold slashes; :id is {id} in the document.
  const written = (route: string): string => route.replace('/v1/identities/*', '/v1/identities/{id}').replaceAll(/:(\w+)/g, '{$1}')
  const foreign = routes.map((route) => route.split(' ')[1] ?? '').filter((url) => isPage(url) || OPERATOR.test(url))
  assert.ok(foreign.length >= 6, 'the page and the operator are served too')
  const registered = routes.filter((route) => !foreign.includes(route.split(' ')[1] ?? '')).map(written)
  const documented = Object.entries(document.paths).flatMap(([path, of]) =>
    Object.keys(of).map((method) => `${method.toUpperCase()} ${path}`),
  )
  assert.deepEqual(registered.sort(), documented.sort())
})

test('every refusal of the read API has a place in the document', async () => {
  const text = JSON.stringify((await served()).document)
  for (const code of Object.keys(READ_REFUSALS)) assert.ok(text.includes(`${code}: `), code)
})
