// Preloaded by the npm scripts (`node --require`), so that they run on a Node that can run the
// sources as they are: this one if it can, else the one that `npm install` brought along. It must
// itself run on any Node, however old, hence the plain old JavaScript.
'use strict'

var spawnSync = require('child_process').spawnSync
var existsSync = require('fs').existsSync
var path = require('path')

var REQUIRED = [22, 19]
/** Set for the Node that was chosen here: choosing happens once. */
var CHOSEN = 'SETBLOCK_NODE_CHOSEN'

var version = process.versions.node.split('.').map(Number)
var enough = version[0] > REQUIRED[0] || (version[0] === REQUIRED[0] && version[1] >= REQUIRED[1])

if (!enough) {
  var bundled = findBundled()
  if (bundled === undefined || process.env[CHOSEN] !== undefined) {
    console.error(
      'setblock: Node ' +
        REQUIRED.join('.') +
        ' or later is needed and this is ' +
        version.join('.') +
        '. Try "npm install": it brings one along for most systems.',
    )
    process.exit(1)
  }
  process.exit(rerun(bundled))
}

function findBundled() {
  var modules = path.join(__dirname, '..', 'node_modules')
  var system = process.platform === 'win32' ? 'win' : process.platform
  var program = system === 'win' ? 'node.exe' : 'node'
  return ['node-', 'node-bin-']
    .map(function (prefix) {
      return path.join(modules, prefix + system + '-' + process.arch, 'bin', program)
    })
    .filter(existsSync)[0]
}

/** Runs the same command line on another Node, and gives its exit code. */
function rerun(program) {
  var env = Object.assign({}, process.env)
  env[CHOSEN] = '1'
  var args = process.execArgv.concat(process.argv.slice(1))
  var result = spawnSync(program, args, { stdio: 'inherit', env: env })
  return result.status === null ? 1 : result.status
}
