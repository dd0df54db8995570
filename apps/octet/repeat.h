// `--like FILE.png`: the record of how a picture was made, back into options.
//
// Thread-safety: pure functions besides reading the file. Errors: kIo for a file that cannot be
// read, kInvalidArgument naming --like for one without a usable record.
#pragma once

#include "generate_options.h"

namespace octet::cli {

/// Stores what the record in options.like_file states, checked like flags; leaves the rest alone.
/// With `other_weights` that is no model, variant or compute type: they belong together.
void apply_record(GenerateOptions& options, bool other_weights);

/// Refuses a record of a picture that began with another one, or with a mask, unless the command
/// line gives the file: a record holds its digest only.
void check_recorded_files(const GenerateOptions& options);

/// What has to be said when the files given are not those of the record.
[[nodiscard]] std::vector<std::string> recorded_files_warnings(const GenerateOptions& options);

}  // namespace octet::cli
