import { commandLine } from './command-line.ts'
import { machineFacts } from './machine-facts.ts'
import { compareWithGolden, GOLDEN_NAMES } from '../src/testing/golden-cases.ts'

/**
 * How the graphs of the golden checkpoints compare with PyTorch, for each precision: the largest
 * difference of a logit, and in how many rows the most likely token is the same.
 *
 * npm run bench:parity
 *
 * The weights are random and the models tiny, so this says whether a graph is right rather than what
 * a precision costs a trained model. The last line is JSON.
 */
commandLine({})

const PRECISIONS = ['fp32', 'int8'] as const

const results: object[] = []
for (const precision of PRECISIONS) {
  for (const name of GOLDEN_NAMES) {
    const { rows, sameToken, differenceMax } = await compareWithGolden(name, precision)
    process.stdout.write(
      `${precision.padEnd(6)} ${name.padEnd(18)} ${sameToken} of ${rows} rows, ` +
        `largest difference ${differenceMax.toExponential(1)}\n`,
    )
    results.push({ precision, name, rows, sameToken, differenceMax })
  }
}
process.stdout.write(`${JSON.stringify({ bench: 'parity', ...machineFacts(), results })}\n`)
