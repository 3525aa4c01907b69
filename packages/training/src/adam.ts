import type { Tensor, Variable } from '@tensorflow/tfjs'
import type { Backend } from './backend.ts'

/**
 * Adam (Kingma & Ba 2015) over typed arrays. TensorFlow.js works its own out of a dozen small operations per variable, which
 * costs more than the gradient itself for nets of this size; the numbers are the same.
 */
export interface Adam {
  /** One step against `gradients`, by variable name. */
  step(gradients: Readonly<Record<string, Tensor>>, learningRate: number): void
}

const BETA1 = 0.9
const BETA2 = 0.999
const EPSILON = 1e-7

export const createAdam = ({ tf }: Backend, variables: readonly Variable[]): Adam => {
  const states = variables.map((variable) => ({
    variable,
    values: Float32Array.from(variable.dataSync()),
    first: new Float32Array(variable.size),
    second: new Float32Array(variable.size),
  }))
  let decay1 = 1
  let decay2 = 1
  return {
    step: (gradients, learningRate) => {
      decay1 *= BETA1
      decay2 *= BETA2
      const rate = learningRate / (1 - decay1)
      const correction = 1 / (1 - decay2)
      for (const { variable, values, first, second } of states) {
        const gradient = gradients[variable.name]!.dataSync()
        for (let i = 0; i < values.length; i++) {
          const g = gradient[i]!
          const m = BETA1 * first[i]! + (1 - BETA1) * g
          const v = BETA2 * second[i]! + (1 - BETA2) * g * g
          first[i] = m
          second[i] = v
          values[i]! -= (rate * m) / (Math.sqrt(v * correction) + EPSILON)
        }
        // A copy: some backends keep the array they are given.
        const next = tf.tensor(values.slice(), variable.shape)
        variable.assign(next)
        next.dispose()
      }
    },
  }
}
