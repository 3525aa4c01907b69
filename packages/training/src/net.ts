import type { Tensor, Tensor2D, Variable } from '@tensorflow/tfjs'
import type { Backend } from './backend.ts'
import type { Random } from './random.ts'

/** A dense net as TensorFlow variables: relu between, linear at the end. */
export interface Net {
  readonly layers: readonly number[]
  readonly kernels: readonly Variable[]
  readonly biases: readonly Variable[]
  /** Reconstruction of standardised rows. */
  forward(x: Tensor2D): Tensor2D
  /** Weights as a release stores them: per layer `bias[out]`, then `kernel[in][out]`. */
  weights(): Float32Array
  load(weights: Float32Array): void
  dispose(): void
}

/**
 * Matrix product with its gradient spelled out by explicit transposes: the WebAssembly backend runs products of transposed
 * operands, which the built-in gradient asks for, on a slow path (half the training speed).
 */
const createProduct = (tf: Backend['tf']) =>
  tf.customGrad((...args: unknown[]) => {
    const [x, w, save] = args as [Tensor2D, Tensor2D, (tensors: Tensor[]) => void]
    save([x, w])
    return {
      value: tf.matMul(x, w),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [sx, sw] = saved as [Tensor2D, Tensor2D]
        return [tf.matMul(dy as Tensor2D, tf.transpose(sw)), tf.matMul(tf.transpose(sx), dy as Tensor2D)]
      },
    }
  }) as (x: Tensor2D, w: Tensor2D) => Tensor2D

/** He-initialised net; the numbers come from `random`, not from TensorFlow, so that a seed fixes them on every backend. */
export const createNet = ({ tf }: Backend, layers: readonly number[], random: Random): Net => {
  const product = createProduct(tf)
  const kernels: Variable[] = []
  const biases: Variable[] = []
  for (let l = 1; l < layers.length; l++) {
    const [inputs, outputs] = [layers[l - 1]!, layers[l]!]
    const gain = l < layers.length - 1 ? 2 : 1
    const deviation = Math.sqrt(gain / inputs)
    const values = Float32Array.from({ length: inputs * outputs }, () => random.normal() * deviation)
    kernels.push(tf.variable(tf.tensor2d(values, [inputs, outputs])))
    biases.push(tf.variable(tf.zeros([outputs])))
  }
  return {
    layers,
    kernels,
    biases,
    forward: (x) => {
      let h = x
      for (let l = 0; l < kernels.length; l++) {
        h = tf.add(product(h, kernels[l] as unknown as Tensor2D), biases[l]!)
        if (l < kernels.length - 1) h = tf.relu(h)
      }
      return h
    },
    weights: () => {
      const parts = kernels.flatMap((kernel, l) => [biases[l]!.dataSync(), kernel.dataSync()])
      const out = new Float32Array(parts.reduce((sum, p) => sum + p.length, 0))
      let at = 0
      for (const part of parts) {
        out.set(part, at)
        at += part.length
      }
      return out
    },
    load: (weights) => {
      let at = 0
      kernels.forEach((kernel, l) => {
        const [inputs, outputs] = kernel.shape as [number, number]
        tf.tidy(() => {
          biases[l]!.assign(tf.tensor1d(weights.slice(at, at + outputs)))
          kernel.assign(tf.tensor2d(weights.slice(at + outputs, at + outputs + inputs * outputs), [inputs, outputs]))
        })
        at += outputs * (inputs + 1)
      })
    },
    dispose: () => {
      for (const v of [...kernels, ...biases]) v.dispose()
    },
  }
}
