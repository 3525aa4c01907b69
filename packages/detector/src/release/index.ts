export {
  AUTOENCODER_SECTIONS,
  MAX_RELEASE_BYTES,
  packRelease,
  releaseAutoencoder,
  sha256Hex,
  unpackRelease,
  type Release,
} from './pack.ts'
export { keyIdOf, openRelease, type ReleaseExpectation } from './envelope.ts'
export { announceSigner, createReleaseSource, knownSigners, releaseNames } from './source.ts'
