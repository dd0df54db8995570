#include "text/unicode.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "base/format.h"
#include "octet/error.h"

namespace octet::unicode {
namespace {

struct Range {
  std::uint32_t first, last;
};
struct ValueRange {
  std::uint32_t first, last;
  std::uint8_t value;
};
struct LowerRun {
  std::uint32_t first, last, stride;
  std::int32_t difference;
};
struct Decomposition {
  std::uint32_t code, first, second;  // second is 0 for a single code point
};
struct Composition {
  std::uint32_t first, second, code;
};
#include "text/unicode_tables.inc"

// Order of tools/gen_unicode_tables.py; the last entries are computed, not stored.
enum class Break : std::uint8_t {
  kControl,
  kExtend,
  kZwj,
  kRegional,
  kPrepend,
  kSpacingMark,
  kL,
  kV,
  kT,
  kPictographic,
  kLv,
  kLvt,
  kOther,
};

constexpr std::uint32_t kHangulBase = 0xAC00, kLeadBase = 0x1100, kVowelBase = 0x1161,
                        kTrailBase = 0x11A7;
constexpr std::uint32_t kLeads = 19, kVowels = 21, kTrails = 28;
constexpr std::uint32_t kSyllables = kLeads * kVowels * kTrails;

/// The range that holds `code`, or null.
template <typename Table>
auto find_range(const Table& table, std::uint32_t code) -> decltype(&table[0]) {
  const auto after = std::upper_bound(std::begin(table), std::end(table), code,
                                      [](std::uint32_t c, const auto& r) { return c < r.first; });
  if (after == std::begin(table) || std::prev(after)->last < code) return nullptr;
  return &*std::prev(after);
}

int combining_class(char32_t code) {
  const ValueRange* found = code < 0x300 ? nullptr : find_range(kCombiningClasses, code);
  return found ? found->value : 0;
}

void decompose(char32_t code, std::u32string& out) {
  if (code < 0xC0) {
    out.push_back(code);
    return;
  }
  if (code >= kHangulBase && code < kHangulBase + kSyllables) {
    const std::uint32_t index = code - kHangulBase;
    out.push_back(kLeadBase + index / (kVowels * kTrails));
    out.push_back(kVowelBase + index / kTrails % kVowels);
    if (index % kTrails != 0) out.push_back(kTrailBase + index % kTrails);
    return;
  }
  const auto found =
      std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), code,
                       [](const Decomposition& d, char32_t c) { return d.code < c; });
  if (found == std::end(kDecompositions) || found->code != code) {
    out.push_back(code);
    return;
  }
  decompose(found->first, out);  // the table's chains are at most four long
  if (found->second != 0) decompose(found->second, out);
}

/// The primary composite of two code points, or 0.
char32_t compose(char32_t first, char32_t second) {
  if (first >= kLeadBase && first < kLeadBase + kLeads && second >= kVowelBase &&
      second < kVowelBase + kVowels) {
    return kHangulBase + ((first - kLeadBase) * kVowels + (second - kVowelBase)) * kTrails;
  }
  if (first >= kHangulBase && first < kHangulBase + kSyllables &&
      (first - kHangulBase) % kTrails == 0 && second > kTrailBase &&
      second < kTrailBase + kTrails) {
    return first + (second - kTrailBase);
  }
  const std::pair<std::uint32_t, std::uint32_t> key{first, second};
  const auto found = std::lower_bound(
      std::begin(kCompositions), std::end(kCompositions), key,
      [](const Composition& c, const auto& k) { return std::pair(c.first, c.second) < k; });
  if (found == std::end(kCompositions) || std::pair(found->first, found->second) != key) return 0;
  return found->code;
}

Break hangul_or(char32_t code, Break other) {
  if (code < kHangulBase || code >= kHangulBase + kSyllables) return other;
  return (code - kHangulBase) % kTrails == 0 ? Break::kLv : Break::kLvt;
}

Break break_class(char32_t code) {
  if (code >= 0x20 && code < 0x7F) return Break::kOther;
  const ValueRange* found = find_range(kGraphemeBreaks, code);
  if (found) return static_cast<Break>(found->value);
  return hangul_or(code, code == '\r' || code == '\n' ? Break::kControl : Break::kOther);
}

bool hangul_joins(Break left, Break right) {
  switch (left) {
    case Break::kL:
      return right == Break::kL || right == Break::kV || right == Break::kLv ||
             right == Break::kLvt;
    case Break::kV:
    case Break::kLv:
      return right == Break::kV || right == Break::kT;
    case Break::kT:
    case Break::kLvt:
      return right == Break::kT;
    default:
      return false;
  }
}

/// Length of the UTF-8 sequence that starts at bytes[i], 0 when it is not well-formed.
std::size_t sequence_length(std::string_view bytes, std::size_t i, char32_t& code) {
  const auto at = [&](std::size_t k) { return static_cast<unsigned char>(bytes[k]); };
  const unsigned lead = at(i);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  const std::size_t length = lead < 0xC2   ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || bytes.size() - i < length) return 0;
  code = lead & (0x7Fu >> length);
  for (std::size_t k = 1; k < length; ++k) {
    if ((at(i + k) & 0xC0u) != 0x80u) return 0;
    code = code << 6 | (at(i + k) & 0x3Fu);
  }
  if (length == 3 && (code < 0x800 || (code >= 0xD800 && code < 0xE000))) return 0;
  if (length == 4 && (code < 0x10000 || code > 0x10FFFF)) return 0;
  return length;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view bytes) {
  char32_t code = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = sequence_length(bytes, i, code);
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

std::u32string decode_utf8(std::string_view bytes, std::string_view field) {
  std::u32string out;
  out.reserve(bytes.size());
  char32_t code = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = sequence_length(bytes, i, code);
    if (length == 0) {
      throw Error(Code::kInvalidArgument,
                  format("%s: expected UTF-8 text, found an invalid byte 0x%02x at offset %zu",
                         excerpt(std::string(field)).c_str(),
                         static_cast<unsigned>(static_cast<unsigned char>(bytes[i])), i));
    }
    out.push_back(code);
    i += length;
  }
  return out;
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t code : text) append_utf8(out, code);
  return out;
}

std::u32string nfd(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t code : text) decompose(code, out);
  // Canonical order: each run of non-starters is sorted by class, equal classes keep their order.
  for (std::size_t i = 0; i < out.size();) {
    if (combining_class(out[i]) == 0) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < out.size() && combining_class(out[end]) != 0) ++end;
    const auto at = [&](std::size_t k) { return out.begin() + static_cast<std::ptrdiff_t>(k); };
    std::stable_sort(at(i), at(end), [](char32_t a, char32_t b) {
      return combining_class(a) < combining_class(b);
    });
    i = end;
  }
  return out;
}

std::u32string nfc(std::u32string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x300; })) {
    return std::u32string(text);  // Latin-1 and the next block are their own composed form
  }
  std::u32string out = nfd(text);
  std::size_t kept = 0;
  std::size_t starter = std::u32string::npos;
  int last_class = 0;  // class of the code point before, among those kept after the starter
  for (std::size_t i = 0; i < out.size(); ++i) {  // in place: kept never passes i
    const char32_t code = out[i];
    const int current = combining_class(code);
    const bool adjacent = starter != std::u32string::npos && kept == starter + 1;
    if (starter != std::u32string::npos &&
        (adjacent || (last_class < current && last_class != 0))) {
      if (const char32_t composite = compose(out[starter], code)) {
        out[starter] = composite;
        continue;
      }
    }
    if (current == 0) starter = kept;
    last_class = current;
    out[kept++] = code;
  }
  out.resize(kept);
  return out;
}

std::u32string lower(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t code : text) {
    if (code == 0x130) {
      out += U"i\u0307";
      continue;
    }
    const LowerRun* run = find_range(kLowerRuns, code);
    const bool maps = run && (code - run->first) % run->stride == 0;
    out.push_back(maps ? static_cast<char32_t>(static_cast<std::int64_t>(code) + run->difference)
                       : code);
  }
  return out;
}

bool is_letter(char32_t code) {
  if (code < 0x80) return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
  return find_range(kLetters, code) != nullptr;
}

bool is_number(char32_t code) {
  if (code < 0x80) return code >= '0' && code <= '9';
  return find_range(kNumbers, code) != nullptr;
}

bool is_whitespace(char32_t code) {
  if (code <= 0x20) return code == 0x20 || (code >= 0x09 && code <= 0x0D);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

std::size_t grapheme_end(std::u32string_view text, std::size_t begin) {
  Break left = break_class(text[begin]);
  std::size_t i = begin + 1;
  if (left == Break::kControl) {
    const bool crlf = text[begin] == '\r' && i < text.size() && text[i] == '\n';
    return crlf ? i + 1 : i;
  }
  bool pictographic = left == Break::kPictographic;  // still within "pictographic Extend*"
  bool joined = false;                               // ... followed by a zero-width joiner
  bool open_flag = left == Break::kRegional;         // one regional indicator waits for its pair
  for (; i < text.size(); ++i) {
    const Break right = break_class(text[i]);
    if (right == Break::kControl) break;
    const bool joins = right == Break::kExtend || right == Break::kZwj ||
                       right == Break::kSpacingMark || left == Break::kPrepend ||
                       hangul_joins(left, right) || (joined && right == Break::kPictographic) ||
                       (open_flag && right == Break::kRegional);
    if (!joins) break;
    joined = pictographic && right == Break::kZwj;
    pictographic = right == Break::kPictographic || (pictographic && right == Break::kExtend);
    open_flag = right == Break::kRegional && !open_flag;
    left = right;
  }
  return i;
}

const char* version() { return kUnicodeVersion; }

}  // namespace octet::unicode
