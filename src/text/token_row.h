// Makes a padded row of ids out of the ids of a text. Internal to src/text.
//
// Thread-safety: pure. Errors: kInvalidArgument when the row cannot hold the special tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokens.h"

namespace octet {

struct RowSpec {
  std::span<const std::int32_t> prefix, suffix;  // special tokens around the text
  int length = 0;                                // 0: as long as needed
  std::int32_t pad_id = 0;
  bool truncate = true;
};

using DecodeIds = std::function<std::string(std::span<const std::int32_t>)>;

/// Prefix, text (cut to fit when truncating), suffix, padding. `decode` makes the dropped text.
[[nodiscard]] Tokens make_row(const RowSpec& spec, std::span<const std::int32_t> text,
                              const DecodeIds& decode);

/// `text` (checked UTF-8) without what lies beyond `limit` code points (0: no limit).
[[nodiscard]] std::u32string decode_prompt(std::string_view text, const TokenizeOptions& options,
                                           std::u32string& cut);

/// Appends the dropped ends of a prompt to its row: `cut` went before tokenising.
void note_cut(const std::u32string& cut, Tokens& row);

}  // namespace octet
