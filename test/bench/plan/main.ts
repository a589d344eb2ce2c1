/**
 * How many devices a load needs, by the roofline and Eq. 16 of the paper (arXiv 2509.04185).
 *
 *   npm run plan -- --gpu h200 --model 8b --rps 20
 *
 * Everything it prints is computed from published figures. The last line is JSON.
 */
import { readOptions, USAGE } from './options.ts'
import { makePlan } from './plan.ts'
import { planJson, planText } from './print-plan.ts'

try {
  const options = readOptions(process.argv.slice(2))
  const plan = await makePlan(options)
  process.stdout.write(`${planText(plan, options)}\n${JSON.stringify(planJson(plan, options))}\n`)
} catch (error) {
  process.stderr.write(`plan: ${(error as Error).message}\n\n${USAGE}`)
  process.exitCode = 1
}
