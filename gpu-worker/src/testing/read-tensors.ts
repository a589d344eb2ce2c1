import { TensorFiles } from '../model-builder/tensor-files.ts'

export interface WholeTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** Row-major values, widened to float32. */
  readonly data: Float32Array
}

/** All tensors of a small checkpoint, in memory. */
export interface WholeTensors {
  has(name: string): boolean
  /** Throws if there is none of that name. */
  read(name: string): WholeTensor
}

export async function readTensors(folder: string): Promise<WholeTensors> {
  const files = await TensorFiles.open(folder)
  const tensors = new Map<string, WholeTensor>()
  try {
    for (const name of files.names) {
      const { shape, ...tensor } = files.find(name)
      const values = shape.reduce((product, size) => product * size, 1)
      tensors.set(name, { name, shape, data: await tensor.read(0, values) })
    }
  } finally {
    await files.close()
  }
  return {
    has: (name) => tensors.has(name),
    read(name) {
      const tensor = tensors.get(name)
      if (tensor === undefined) throw new Error(`there is no tensor ${name} in ${folder}`)
      return tensor
    },
  }
}
