import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { PlumblineError } from '@plumbline/schemas'

const unzip = promisify(gunzip)

/** Body as sent, unpacked. Errors: ENCODING_UNSUPPORTED, BODY_TOO_LARGE (also for gzip bombs, B3), GZIP_INVALID. */
export const inflate = async (body: Uint8Array, encoding: string | undefined, maxBytes: number): Promise<Uint8Array> => {
  const name = (encoding ?? 'identity').trim().toLowerCase()
  if (name === 'identity' || name === '') return body
  if (name !== 'gzip' && name !== 'x-gzip') throw new PlumblineError('ENCODING_UNSUPPORTED', 'Content-Encoding is not gzip.')
  try {
    return await unzip(body, { maxOutputLength: maxBytes })
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new PlumblineError('BODY_TOO_LARGE', `The body unpacks to more than ${maxBytes} bytes.`, { cause })
    }
    throw new PlumblineError('GZIP_INVALID', 'The body is not valid gzip.', { cause })
  }
}
