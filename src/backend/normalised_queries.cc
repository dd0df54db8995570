#include "backend/ops.h"

namespace octet {

AttentionArgs with_normalised_queries(Ops& ops, const AttentionArgs& args) {
  AttentionArgs left = args;
  left.norm_q = {};
  const std::int64_t queries = args.q.dim(1);
  const std::int64_t rest = args.rest.data ? args.rest.data.dim(1) : 0;
  ops.qk_norm({.x = slice(args.q, 1, 0, queries - rest), .weight = args.norm_q[0]});
  if (rest > 0) {
    ops.qk_norm({.x = slice(args.q, 1, queries - rest, queries), .weight = args.norm_q[1]});
  }
  return left;
}

}  // namespace octet
