import { floatType } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import { EMBEDDING_FLOAT_BYTES_MAX } from '../limits.ts'
import type { Matrix } from '../matrix.ts'
import { DATA_TYPES, type Value } from '../onnx-model.ts'
import { rowsWeight, storedType, tensorBytesOf } from '../weight-forms.ts'

/**
 * The rows' embeddings, (N, hidden). A large table stays in the 16 bits that the checkpoint has it
 * in, since of all its rows a forward widens a few: exact, and half the memory.
 */
export function embeddedRows(builder: GraphBuilder, matrix: Matrix): Value {
  const { model, provider, precision } = builder
  const stored = storedType(matrix)
  const isLarge = tensorBytesOf(matrix, 'float32') > EMBEDDING_FLOAT_BYTES_MAX
  if (provider !== 'cpu' || !isLarge || stored === 'float32') {
    const table = model.initializer('embedding', rowsWeight(matrix, floatType(precision)))
    return model.node('embedded', 'Gather', [table, GRAPH.inputIds])
  }
  const table = model.initializer('embedding', rowsWeight(matrix, stored))
  const narrow = model.node('embedded.stored', 'Gather', [table, GRAPH.inputIds])
  return model.node('embedded', 'Cast', [narrow], {
    attributes: { to: { int: DATA_TYPES.float32 } },
  })
}
