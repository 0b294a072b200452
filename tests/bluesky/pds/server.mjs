// A real Bluesky server for tests: a PDS, and the PLC directory with the accounts' DIDs, both in memory. Prints one line
// of JSON with their addresses when they answer, and ends with its standard input.
import { TestNetworkNoAppView } from '@atproto/dev-env'

const network = await TestNetworkNoAppView.create({
  pds: {
    hostname: 'localhost',
    rateLimitsEnabled: process.env.RATE_LIMITS === 'on',
    blobUploadLimit: 100_000_000,
  },
})
console.log(JSON.stringify({ pds: network.pds.url, plc: network.plc.url }))

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
