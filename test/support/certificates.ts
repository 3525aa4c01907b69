// What @peculiar/x509 is built on asks for it.
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** What a file of node:tls or of a Kafka broker holds. */
export interface Certificate {
  readonly cert: string
  /** PKCS#8, not encrypted. */
  readonly key: string
}

/** A certificate authority of its own: nobody else trusts it. */
export interface Authority {
  readonly ca: string
  /** For 127.0.0.1 and localhost unless other names are given. */
  issue(name: string, hosts?: readonly string[]): Promise<Certificate>
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const HOUR_MS = 3_600_000

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])

const validity = (): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(Date.now() - HOUR_MS),
  notAfter: new Date(Date.now() + 24 * HOUR_MS),
})

const pemOfKey = async (keys: webcrypto.CryptoKeyPair): Promise<string> =>
  `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')}\n`

/** Certificates for tests, made in the process: no binary, nothing stored that could expire. */
export const createAuthority = async (name = 'Test authority'): Promise<Authority> => {
  const keys = await newKeys()
  const root = await X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      serialNumber: '01',
      ...validity(),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    },
    webcrypto,
  )
  let serial = 1
  return {
    ca: `${root.toString('pem')}\n`,
    async issue(subject, hosts = ['127.0.0.1', 'localhost']) {
      const own = await newKeys()
      serial += 1
      const names = hosts.map((value) => ({ type: /^[\d.]+$/.test(value) ? ('ip' as const) : ('dns' as const), value }))
      const certificate = await X509CertificateGenerator.create(
        {
          subject: `CN=${subject}`,
          issuer: root.subject,
          serialNumber: serial.toString(16).padStart(2, '0'),
          ...validity(),
          publicKey: own.publicKey,
          signingKey: keys.privateKey,
          signingAlgorithm: ALGORITHM,
          extensions: [new BasicConstraintsExtension(false), new SubjectAlternativeNameExtension(names)],
        },
        webcrypto,
      )
      return { cert: `${certificate.toString('pem')}\n`, key: await pemOfKey(own) }
    },
  }
}
