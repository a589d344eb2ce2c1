/** Builds `dist/`: the package as it is published, JavaScript and declarations instead of sources. */
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import process from 'node:process'

const folder = import.meta.dirname
const dist = path.resolve(process.argv[2] ?? path.join(folder, 'dist'))

interface PackageJson {
  exports: Record<string, string>
  private?: boolean
  scripts?: unknown
}

/** The manifest of the published package: its entries are what was built of those in the repository. */
function publishedManifest(): unknown {
  const source = readFileSync(path.join(folder, 'package.json'), 'utf8')
  const { private: _, scripts: __, ...manifest } = JSON.parse(source) as PackageJson
  const entries = Object.entries(manifest.exports).map(([name, file]) => {
    const stem = file.replace('./src/', './').replace(/\.ts$/, '')
    return [name, { types: `${stem}.d.ts`, default: `${stem}.js` }]
  })
  return { ...manifest, exports: Object.fromEntries(entries) as unknown }
}

function compile(): void {
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
  const tsc = path.join(path.dirname(typescript), 'bin', 'tsc')
  const project = path.join(folder, 'tsconfig.build.json')
  const args = [tsc, '--project', project, '--outDir', dist]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

rmSync(dist, { recursive: true, force: true })
compile()
writeFileSync(path.join(dist, 'package.json'), `${JSON.stringify(publishedManifest(), null, 2)}\n`)
cpSync(path.join(folder, 'README.md'), path.join(dist, 'README.md'))
cpSync(path.join(folder, '..', 'LICENSE'), path.join(dist, 'LICENSE'))
