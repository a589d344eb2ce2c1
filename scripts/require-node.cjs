// Runs on any Node, however old, so it is plain old JavaScript: it must be able to say that this
// Node is too old instead of failing on the first line it cannot read.
'use strict'

var REQUIRED = [22, 19]

var found = process.versions.node.split('.').map(Number)
var enough = found[0] > REQUIRED[0] || (found[0] === REQUIRED[0] && found[1] >= REQUIRED[1])
if (!enough) {
  console.error(
    'setblock: Node ' +
      REQUIRED.join('.') +
      ' or later is needed and this is ' +
      found.join('.') +
      '. Run "npm install" first: it brings a Node 22 along for the npm scripts.',
  )
  process.exit(1)
}
