import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** Where scripts/build-web.mjs puts the page. */
export const WEB_DIR = fileURLToPath(new URL('../dist-web/', import.meta.url))

/** No inline code or style, nothing from elsewhere, no framing; text can never become markup (B17). */
export const PAGE_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** Serves the built page at `/`. Without a build it says so in words instead of failing the start. */
export async function staticRoutes(app: FastifyInstance, webDir: string): Promise<void> {
  if (!existsSync(webDir)) {
    app.get('/', async (_request, reply) =>
      reply
        .code(503)
        .type('text/plain; charset=utf-8')
        .send('The page has not been built. Run: node services/console/scripts/build-web.mjs, and start this process again\n'),
    )
    return
  }
  await app.register(fastifyStatic, {
    root: webDir,
    wildcard: false,
    cacheControl: false,
    index: ['index.html'],
    setHeaders(reply, path) {
      reply.header('content-security-policy', PAGE_CSP)
      reply.header('referrer-policy', 'no-referrer')
      reply.header('x-content-type-options', 'nosniff')
      // Built files carry a hash of their content in the name; the page itself does not.
      reply.header('cache-control', path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
}
