#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "text/unicode.h"

namespace octet {
namespace {

bool is_word(char32_t code) {
  return code == '_' || unicode::is_letter(code) || unicode::is_number(code);
}

}  // namespace

void AddedTokenMatcher::add(std::u32string pattern, const AddedToken& token) {
  if (!pattern.empty()) entries_.push_back({std::move(pattern), token});
}

void AddedTokenMatcher::finish() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.pattern < b.pattern; });
  // Of equal patterns the first one added counts.
  const auto same = [](const Entry& a, const Entry& b) { return a.pattern == b.pattern; };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
}

const AddedTokenMatcher::Entry* AddedTokenMatcher::longest_at(std::u32string_view text,
                                                              std::size_t begin) const {
  // Narrow the sorted list one character at a time; whenever the first entry of the rest ends
  // here, it is a match.
  const Entry* best = nullptr;
  auto low = entries_.begin(), high = entries_.end();
  for (std::size_t depth = 0; low != high; ++depth) {
    if (low->pattern.size() == depth) {
      best = &*low;
      if (++low == high) break;
    }
    if (begin + depth >= text.size()) break;
    const char32_t code = text[begin + depth];
    low = std::lower_bound(low, high, code,
                           [depth](const Entry& e, char32_t c) { return e.pattern[depth] < c; });
    high = std::upper_bound(low, high, code,
                            [depth](char32_t c, const Entry& e) { return c < e.pattern[depth]; });
  }
  return best;
}

std::vector<AddedTokenMatcher::Span> AddedTokenMatcher::split(std::u32string_view text) const {
  std::vector<Span> spans;
  std::size_t open = 0;  // start of the text that is not in a span yet
  for (std::size_t i = 0; i < text.size();) {
    const Entry* entry = longest_at(text, i);
    if (!entry) {
      ++i;
      continue;
    }
    std::size_t begin = i, end = i + entry->pattern.size();
    i = end;
    const AddedToken& token = entry->token;
    const bool touched =
        (begin > 0 && is_word(text[begin - 1])) || (end < text.size() && is_word(text[end]));
    if (token.single_word && touched) continue;
    while (token.lstrip && begin > open && unicode::is_whitespace(text[begin - 1])) --begin;
    while (token.rstrip && end < text.size() && unicode::is_whitespace(text[end])) ++end;
    if (open < begin) spans.push_back({open, begin, -1});
    spans.push_back({begin, end, token.id});
    open = i = end;
  }
  if (open < text.size()) spans.push_back({open, text.size(), -1});
  return spans;
}

AddedVocabulary::AddedVocabulary(const std::vector<AddedToken>& tokens, Normalize normalize)
    : normalize_(std::move(normalize)) {
  for (const AddedToken& token : tokens) {
    TextSection pattern{unicode::decode_utf8(token.content, "added token"), 1};
    if (token.normalized) normalize_(pattern);
    (token.normalized ? normalized_ : raw_).add(std::move(pattern.text), token);
  }
  raw_.finish();
  normalized_.finish();
}

void AddedVocabulary::visit(std::u32string_view text,
                            const std::function<void(std::int32_t)>& on_id,
                            const std::function<void(TextSection&&)>& on_text) const {
  for (const auto& raw : raw_.split(text)) {
    if (raw.id >= 0) {
      on_id(raw.id);
      continue;
    }
    TextSection section{std::u32string(text.substr(raw.begin, raw.end - raw.begin)),
                        raw.begin == 0 ? 1u : 0u};
    normalize_(section);
    for (const auto& span : normalized_.split(section.text)) {
      if (span.id >= 0) {
        on_id(span.id);
        continue;
      }
      on_text({section.text.substr(span.begin, span.end - span.begin),
               section.from_first - std::min(section.from_first, span.begin)});
    }
  }
}

}  // namespace octet
