// What tokenizers take and give: options and padded rows of ids.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// One row of token ids, ready for an encoder.
struct Tokens {
  std::vector<std::int32_t> ids;  // special tokens and padding included
  int used = 0;                   // ids before the padding, special tokens included
  bool truncated = false;         // something was cut
  std::string dropped;            // the text that was cut, decoded from its tokens; UTF-8
};

/// How a prompt becomes a row. The defaults are those of the model's own configuration.
struct TokenizeOptions {
  /// Ids per row: shorter rows are padded on the right to this. 0 means the model's own length
  /// (model_max_length); without one, rows are not padded.
  int length = 0;
  /// Whether longer rows are cut to `length`, keeping the closing special tokens.
  bool truncate = true;
  /// Id of the padding; negative means the model's own.
  std::int32_t pad_id = -1;
  /// Whether the pad token is recognised inside the prompt when it is a registered special token.
  /// With the pad token "!" of SDXL-like configurations, diffusers turns every "!" into its id
  /// (true); ComfyUI and the reference pad with the id only (false).
  bool match_pad = true;
  /// The prompt is cut to this many code points first (reference: 226 before T5); 0 means no cut.
  int max_characters = 0;
  /// Name of the prompt in error messages.
  std::string_view field = "prompt";
};

}  // namespace octet
