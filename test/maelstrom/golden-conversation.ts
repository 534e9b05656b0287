/** The body of a request and the body of the answer to it, as text. */
export type Exchange = readonly [request: string, reply: string];

/** A conversation with a node whose data directory is empty; each request is answered in its turn. */
export const GOLDEN_CONVERSATION: readonly Exchange[] = [
  [`{"type":"init","node_id":"n0","node_ids":["n0"]}`, `{"type":"init_ok"}`],
  // An empty store answers like any other.
  [`{"type":"poll","offsets":{}}`, `{"type":"poll_ok","msgs":{}}`],
  [`{"type":"poll","offsets":{"k1":0}}`, `{"type":"poll_ok","msgs":{"k1":[]}}`],
  [
    `{"type":"list_committed_offsets","keys":["k1"]}`,
    `{"type":"list_committed_offsets_ok","offsets":{}}`,
  ],
  // Each key has offsets of its own, from 0 on.
  [`{"type":"send","key":"k1","msg":9}`, `{"type":"send_ok","offset":0}`],
  [`{"type":"send","key":"k1","msg":5}`, `{"type":"send_ok","offset":1}`],
  [`{"type":"send","key":"k1","msg":15}`, `{"type":"send_ok","offset":2}`],
  [`{"type":"send","key":"k2","msg":7}`, `{"type":"send_ok","offset":0}`],
  [
    `{"type":"poll","offsets":{"k1":0,"k2":0}}`,
    `{"type":"poll_ok","msgs":{"k1":[[0,9],[1,5],[2,15]],"k2":[[0,7]]}}`,
  ],
  // A poll may begin anywhere, the end included.
  [
    `{"type":"poll","offsets":{"k2":1,"k1":1.0}}`,
    `{"type":"poll_ok","msgs":{"k2":[],"k1":[[1,5],[2,15]]}}`,
  ],
  // The last processed offset goes in and comes out.
  [`{"type":"commit_offsets","offsets":{"k1":1}}`, `{"type":"commit_offsets_ok"}`],
  [
    `{"type":"list_committed_offsets","keys":["k1","k2","k3"]}`,
    `{"type":"list_committed_offsets_ok","offsets":{"k1":1}}`,
  ],
  [`{"type":"commit_offsets","offsets":{"k2":0,"k1":0}}`, `{"type":"commit_offsets_ok"}`],
  [
    `{"type":"list_committed_offsets","keys":["k2","k1"]}`,
    `{"type":"list_committed_offsets_ok","offsets":{"k2":0,"k1":1}}`,
  ],
  [`{"type":"commit_offsets","offsets":{}}`, `{"type":"commit_offsets_ok"}`],
  // Messages come back as they were written.
  [`{"type":"send","key":"any","msg":null}`, `{"type":"send_ok","offset":0}`],
  [`{"type":"send","key":"any","msg":12345678901234567890}`, `{"type":"send_ok","offset":1}`],
  [`{"type":"send","key":"any","msg":[1.0,-0,1e400]}`, `{"type":"send_ok","offset":2}`],
  [`{"type":"send","key":"any","msg":{"msg":{"__proto__":1}}}`, `{"type":"send_ok","offset":3}`],
  [`{"type":"send","key":"any","msg":"\\ud800 \\u0000 ü 𝄞"}`, `{"type":"send_ok","offset":4}`],
  [
    `{"type":"poll","offsets":{"any":0}}`,
    `{"type":"poll_ok","msgs":{"any":[[0,null],[1,12345678901234567890],[2,[1.0,-0,1e400]],` +
      `[3,{"msg":{"__proto__":1}}],[4,"\\ud800 \\u0000 ü 𝄞"]]}}`,
  ],
  // Keys are data.
  [`{"type":"send","key":"__proto__","msg":1}`, `{"type":"send_ok","offset":0}`],
  [`{"type":"send","key":"../a/b\\u0000","msg":2}`, `{"type":"send_ok","offset":0}`],
  [
    `{"type":"poll","offsets":{"__proto__":0,"../a/b\\u0000":0,"constructor":0}}`,
    `{"type":"poll_ok","msgs":{"__proto__":[[0,1]],"../a/b\\u0000":[[0,2]],"constructor":[]}}`,
  ],
  [`{"type":"commit_offsets","offsets":{"__proto__":0}}`, `{"type":"commit_offsets_ok"}`],
  [
    `{"type":"list_committed_offsets","keys":["constructor","__proto__"]}`,
    `{"type":"list_committed_offsets_ok","offsets":{"__proto__":0}}`,
  ],
];

/** The line of a request in the golden conversation; requests are numbered from 1. */
export function goldenRequestLine(index: number, body: string): string {
  return `{"src":"c1","dest":"n0","body":${body.slice(0, -1)},"msg_id":${index + 1}}}`;
}

/** The line of the answer to it. */
export function goldenReplyLine(index: number, body: string): string {
  return `{"src":"n0","dest":"c1","body":${body.slice(0, -1)},"in_reply_to":${index + 1}}}`;
}
