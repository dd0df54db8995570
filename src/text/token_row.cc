#include "text/token_row.h"

#include <algorithm>

#include "base/format.h"
#include "octet/error.h"
#include "text/unicode.h"

namespace octet {

Tokens make_row(const RowSpec& spec, std::span<const std::int32_t> text, const DecodeIds& decode) {
  const std::size_t special = spec.prefix.size() + spec.suffix.size();
  const std::size_t length = spec.length > 0 ? static_cast<std::size_t>(spec.length) : 0;
  const bool limited = spec.truncate && length > 0;
  if (limited && length < special) {
    throw Error(Code::kInvalidArgument,
                format("token length: expected at least %zu, found %zu", special, length));
  }
  const std::size_t kept = limited ? std::min(text.size(), length - special) : text.size();
  Tokens row;
  row.ids.reserve(std::max(length, kept + special));
  row.ids.assign(spec.prefix.begin(), spec.prefix.end());
  row.ids.insert(row.ids.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(kept));
  row.ids.insert(row.ids.end(), spec.suffix.begin(), spec.suffix.end());
  row.used = static_cast<int>(row.ids.size());
  if (row.ids.size() < length) row.ids.resize(length, spec.pad_id);
  row.truncated = kept < text.size();
  if (row.truncated) row.dropped = decode(text.subspan(kept));
  return row;
}

std::u32string decode_prompt(std::string_view text, const TokenizeOptions& options,
                             std::u32string& cut) {
  std::u32string prompt = unicode::decode_utf8(text, options.field);
  const auto limit = static_cast<std::size_t>(std::max(options.max_characters, 0));
  cut.clear();
  if (limit > 0 && prompt.size() > limit) {
    cut = prompt.substr(limit);
    prompt.resize(limit);
  }
  return prompt;
}

void note_cut(const std::u32string& cut, Tokens& row) {
  if (cut.empty()) return;
  row.truncated = true;
  row.dropped += unicode::encode_utf8(cut);
}

}  // namespace octet
