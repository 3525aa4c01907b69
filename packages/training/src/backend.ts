import { createRequire } from 'node:module'
import util from 'node:util'

type TensorFlow = typeof import('@tensorflow/tfjs')

/** TensorFlow.js with one backend ready. `native` is libtensorflow through tfjs-node. */
export interface Backend {
  readonly name: 'native' | 'wasm' | 'cpu'
  readonly tf: TensorFlow
}

const require = createRequire(import.meta.url)

/** tfjs-node's loader uses two helpers that Node 23 removed. */
const restoreUtilHelpers = (): void => {
  const holder = util as unknown as Record<string, unknown>
  holder['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined
  holder['isArray'] ??= Array.isArray
}

/** Its native part is often not there (its installer is never run): then this is simply not the backend. */
const tryNative = (): TensorFlow | undefined => {
  restoreUtilHelpers()
  try {
    return require('@tensorflow/tfjs-node') as TensorFlow
  } catch {
    return undefined
  }
}

const start = async (only: Backend['name'] | undefined): Promise<Backend> => {
  if (only === undefined || only === 'native') {
    const native = tryNative()
    if (native !== undefined) {
      await native.ready()
      return { name: 'native', tf: native }
    }
    if (only === 'native')
      throw new Error('The native library of @tensorflow/tfjs-node is not there. Run packages/training/scripts/setup-tfjs-native.mjs.')
  }
  const tf = require('@tensorflow/tfjs') as TensorFlow
  if (only !== 'cpu') {
    try {
      require('@tensorflow/tfjs-backend-wasm')
      if (await tf.setBackend('wasm')) {
        await tf.ready()
        return { name: 'wasm', tf }
      }
    } catch (error) {
      if (only === 'wasm') throw error
    }
  }
  await tf.setBackend('cpu')
  await tf.ready()
  return { name: 'cpu', tf }
}

let chosen: Promise<Backend> | undefined

/**
 * The fastest TensorFlow.js backend that works here: native, else WebAssembly, else plain JavaScript. Chosen once per thread.
 * `PLUMBLINE_TFJS_BACKEND` (native, wasm, cpu) forces one and makes its absence an error.
 */
export const chooseBackend = (): Promise<Backend> => {
  const forced = process.env['PLUMBLINE_TFJS_BACKEND']
  chosen ??= start(forced === 'native' || forced === 'wasm' || forced === 'cpu' ? forced : undefined)
  return chosen
}
