// model_index.json: which parts a diffusers folder says belong together.
//
// An index that names parts must name exactly those whose weights are there, each by the class of
// the SD3 family. One that names none (files put together by hand) says nothing. Thread-safety:
// pure functions. Errors: Error(kModelMismatch) naming both parts, Error(kCorruptFile).
#pragma once

#include <functional>
#include <string>

#include "checkpoint/files.h"

namespace octet {

/// `has_weights` tells whether a part ("text_encoder_3") lies in the folder.
void check_model_index(const FileSet& files,
                       const std::function<bool(const std::string&)>& has_weights);

}  // namespace octet
