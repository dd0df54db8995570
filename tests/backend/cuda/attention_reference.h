// Attention as its formula says, in FP32 and one thread per result: what the fast kernel is
// compared with.
#pragma once

#include "backend/cuda/attention/attention.h"

namespace octet::test {

/// out FP32 [batch, queries, heads * 64], dense. Keys, values and queries as in `desc`.
void attention_reference(const cuda::AttentionDesc& desc, float* out);

}  // namespace octet::test
