import { parseArgs } from 'node:util'

import { buildModel } from './build-model.ts'
import { ModelError } from '../engine/model-error.ts'

const USAGE = 'usage: build-model <model folder> [--precision int8|fp32]'

/**
 * `build-model <folder> [--precision int8|fp32]`: exit 0, or one line on stderr and exit 1 (2: bad
 * usage).
 */
async function main(): Promise<number> {
  let folder: string | undefined
  let precision: string
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { precision: { type: 'string', default: 'int8' } },
    })
    folder = positionals.length === 1 ? positionals[0] : undefined
    precision = values.precision
  } catch {
    return fail(USAGE, 2)
  }
  if (folder === undefined || (precision !== 'int8' && precision !== 'fp32')) return fail(USAGE, 2)
  try {
    const { graphFile, graphBytes, nodeCount } = await buildModel(folder, precision)
    const megabytes = (graphBytes / 1e6).toFixed(1)
    process.stdout.write(`${graphFile}: ${megabytes} MB, ${nodeCount} nodes\n`)
    return 0
  } catch (error) {
    if (error instanceof ModelError) return fail(error.message, 1)
    throw error
  }
}

function fail(line: string, code: number): number {
  process.stderr.write(`${line}\n`)
  return code
}

process.exitCode = await main()
