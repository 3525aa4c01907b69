import { z } from 'zod'

/** Address of a ClickHouse server, with user, password and database where they differ from ClickHouse's own. */
export const clickhouseAddress = z.url({
  protocol: /^https?$/,
  hostname: /./,
  error: ({ input }) => (input === undefined ? undefined : 'must look like http://user:password@host:8123/plumbline'),
})
