import type { Socket } from 'node:net'
import type { ApiError } from '@plumbline/schemas'

const LINES: Readonly<Record<string, readonly [line: string, message: string, remedy: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are larger than 16 KiB.', 'Send fewer or shorter headers.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive.', 'Send it again, within 30 seconds.'],
}
const OTHERS = ['400 Bad Request', 'What arrived is not HTTP.', 'Send HTTP/1.1; for TLS put a proxy in front.'] as const

/** Answers what the HTTP parser gave up on, in the shape of all refusals, and hangs up. */
export const answerNotHttp = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [line, message, remedy] = LINES[error.code ?? ''] ?? OTHERS
  const body = JSON.stringify({ code: 'REQUEST_INVALID', message, remedy } satisfies ApiError)
  const head = [
    `HTTP/1.1 ${line}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'content-type: application/json; charset=utf-8',
    'connection: close',
  ]
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroySoon()
}
