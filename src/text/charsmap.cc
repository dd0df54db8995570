#include "text/charsmap.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "octet/error.h"
#include "text/unicode.h"

namespace octet {
namespace {

constexpr std::size_t kClusterBytes = 6;  // clusters from this size on are taken apart

std::uint32_t read_u32(std::string_view bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i);
  }
  return value;
}

std::uint32_t children_of(std::uint32_t unit) { return (unit >> 10) << ((unit & 0x200u) >> 6); }

}  // namespace

void refuse_growth(const std::string& source) {
  throw Error(
      Code::kCorruptFile,
      format("%s: expected replacements that keep a text below %zu characters, found longer",
             excerpt(source).c_str(), kMaxNormalizedText));
}

Charsmap::Charsmap(std::string_view blob, std::string file) : file_(std::move(file)) {
  const std::size_t rest = blob.size() < 4 ? 0 : blob.size() - 4;
  const std::size_t trie_bytes = blob.size() < 4 ? 1 : read_u32(blob, 0);
  if (trie_bytes > rest || trie_bytes % 4 != 0) {
    throw Error(Code::kCorruptFile,
                format("%s: precompiled_charsmap: expected a trie within %zu bytes, found %zu",
                       excerpt(file_).c_str(), rest, trie_bytes));
  }
  units_.reserve(trie_bytes / 4);
  for (std::size_t i = 0; i < trie_bytes; i += 4) units_.push_back(read_u32(blob, 4 + i));
  replacements_ = blob.substr(4 + trie_bytes);
  if (const auto offset = unicode::find_invalid_utf8(replacements_)) {
    throw Error(Code::kCorruptFile,
                format("%s: precompiled_charsmap: expected UTF-8 replacements, found an invalid "
                       "byte at offset %zu",
                       excerpt(file_).c_str(), *offset));
  }
}

std::optional<std::string_view> Charsmap::find(std::string_view key) const {
  if (units_.empty()) return std::nullopt;
  std::uint32_t node = children_of(units_[0]);
  for (const char c : key) {
    const std::uint32_t byte = static_cast<unsigned char>(c);
    node ^= byte;
    if (byte == 0 || node >= units_.size()) return std::nullopt;
    const std::uint32_t unit = units_[node];
    if ((unit & 0x800000FFu) != byte) return std::nullopt;
    node ^= children_of(unit);
    if ((unit & 0x100u) == 0) continue;
    const std::size_t start = node < units_.size() ? units_[node] & 0x7FFFFFFFu : SIZE_MAX;
    if (start >= replacements_.size()) {
      throw Error(Code::kCorruptFile,
                  format("%s: precompiled_charsmap: expected a replacement within %zu bytes, found "
                         "offset %zu",
                         excerpt(file_).c_str(), replacements_.size(), start));
    }
    const std::string_view tail = std::string_view(replacements_).substr(start);
    return tail.substr(0, tail.find('\0'));
  }
  return std::nullopt;
}

bool Charsmap::append_rule(std::u32string_view part, std::string& scratch,
                           std::u32string& out) const {
  scratch.clear();
  for (const char32_t code : part) unicode::append_utf8(scratch, code);
  const auto replacement = find(scratch);
  if (!replacement) return false;
  if (unicode::find_invalid_utf8(*replacement)) {
    throw Error(Code::kCorruptFile,
                format("%s: precompiled_charsmap: expected replacements that start at a character, "
                       "found one within",
                       excerpt(file_).c_str()));
  }
  out += unicode::decode_utf8(*replacement, file_);
  if (out.size() > kMaxNormalizedText) refuse_growth(file_ + ": precompiled_charsmap");
  return true;
}

std::u32string Charsmap::apply(std::u32string_view text, std::size_t* from_first) const {
  std::u32string out;
  out.reserve(text.size());
  std::string scratch;
  std::size_t first = 1;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = unicode::grapheme_end(text, begin);
    const std::u32string_view cluster = text.substr(begin, end - begin);
    const bool small =
        cluster.size() < kClusterBytes && unicode::encode_utf8(cluster).size() < kClusterBytes;
    if (small && append_rule(cluster, scratch, out)) {
      if (begin == 0 && cluster.size() == 1) first = std::max<std::size_t>(1, out.size());
      begin = end;
      continue;
    }
    for (const char32_t& code : cluster) {
      if (!append_rule({&code, 1}, scratch, out)) out.push_back(code);
      if (begin == 0 && &code == cluster.data()) first = std::max<std::size_t>(1, out.size());
    }
    begin = end;
  }
  if (from_first) *from_first = first;
  return out;
}

}  // namespace octet
