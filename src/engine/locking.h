// Locks of whole models: what the lock module sees of the files, together with what loading says
// about variant, parts and tokenizers.
#pragma once

#include "octet/engine.h"

namespace octet {

/// When `options` name a lock: refuses a model whose headers and small files, or with lock_full
/// any of whose bytes, differ from it (Error(kRefused)), before a weight is read. A variant that
/// was not asked for is the lock's.
[[nodiscard]] EngineOptions require_lock(EngineOptions options);

}  // namespace octet
