#include "octet/quantize.h"

#include "engine/backend_registry.h"
#include "quantize/session.h"

namespace octet {

const char* name_of(QuantizeStage stage) {
  switch (stage) {
    case QuantizeStage::kCalibrate:
      return "calibrating";
    case QuantizeStage::kQuantize:
      return "quantising";
    case QuantizeStage::kReference:
      return "drawing with the source";
    case QuantizeStage::kJudge:
      return "drawing with the candidate";
  }
  return "?";
}

QuantizeReport quantize(const QuantizeOptions& options, const QuantizeHooks& hooks) {
  return run_quantization(options, hooks,
                          [&] { return make_reproducible_backend(options.threads); });
}

}  // namespace octet
