// Reads one record of JSON a line, and answers each with what Bluesky's own parser makes of it: whether the record is
// valid, and its text in segments, each with the link, mention or tag that it is.
import { createInterface } from 'node:readline'
import { AppBskyFeedPost, RichText, jsonToLex } from '@atproto/api'

for await (const line of createInterface({ input: process.stdin })) {
  const record = JSON.parse(line)
  const { success, error } = AppBskyFeedPost.validateRecord(jsonToLex(record))
  const rich = new RichText({ text: record.text, facets: record.facets })
  const segments = [...rich.segments()].map(({ text, link, mention, tag }) => ({
    text,
    is: link?.uri ?? mention?.did ?? tag?.tag ?? null,
  }))
  const graphemes = rich.graphemeLength
  console.log(JSON.stringify({ valid: success, error: error?.message ?? null, graphemes, segments }))
}
