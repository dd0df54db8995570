#include "text/text_pipeline.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "octet/error.h"
#include "text/unicode.h"

namespace octet {
namespace {

/// The stretch that `pattern` looks at from `begin` on, and whether it matches.
struct Stretch {
  std::size_t length;
  bool matches;
};

/// A run that is too short for the pattern is one stretch, so that it is measured only once.
Stretch stretch_at(const ReplacePattern& pattern, std::u32string_view text, std::size_t begin) {
  if (!pattern.literal.empty()) {
    const bool equal = text.compare(begin, pattern.literal.size(), pattern.literal) == 0;
    return {equal ? pattern.literal.size() : 1, equal};
  }
  std::size_t end = begin;
  while (end < text.size() && (pattern.any_whitespace ? unicode::is_whitespace(text[end])
                                                      : text[end] == pattern.repeated)) {
    ++end;
  }
  const std::size_t run = end - begin;
  return {run == 0 ? 1 : run, run > 0 && run >= pattern.minimum};
}

void replace(const NormalizerStep& rule, TextSection& section) {
  const std::u32string_view text = section.text;
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Stretch stretch = stretch_at(rule.pattern, text, i);
    if (!stretch.matches) {
      out += text.substr(i, stretch.length);
      i += stretch.length;
      continue;
    }
    if (i == 0 && (stretch.length > 1 || rule.content.empty())) section.from_first = 0;
    out += rule.content;
    i += stretch.length;
    if (out.size() > kMaxNormalizedText) refuse_growth("tokenizer.json: normalizer");
  }
  section.text = std::move(out);
}

void strip(const NormalizerStep& rule, TextSection& section) {
  std::size_t begin = 0, end = section.text.size();
  while (rule.strip_left && begin < end && unicode::is_whitespace(section.text[begin])) ++begin;
  while (rule.strip_right && end > begin && unicode::is_whitespace(section.text[end - 1])) --end;
  section.from_first -= std::min(section.from_first, begin);
  section.text = section.text.substr(begin, end - begin);
}

void apply_map(const Charsmap* map, TextSection& section) {
  if (!map) return;
  std::size_t from_first = 0;
  section.text = map->apply(section.text, &from_first);
  if (section.from_first > 0) section.from_first = from_first;
}

/// One word per replacement character: each starts a new word, which keeps it.
void split_metaspace(const PreTokenizerStep& step, TextSection section,
                     std::vector<TextSection>& out) {
  using Prepend = PreTokenizerStep::Prepend;
  for (char32_t& code : section.text) {
    if (code == U' ') code = step.replacement;
  }
  const bool wanted = step.prepend == Prepend::kAlways ||
                      (step.prepend == Prepend::kFirst && section.from_first > 0);
  if (wanted && section.text[0] != step.replacement) section.text.insert(0, 1, step.replacement);
  for (std::size_t begin = 0; begin < section.text.size();) {
    const std::size_t next =
        step.split ? section.text.find(step.replacement, begin + 1) : std::u32string::npos;
    const std::size_t end = std::min(next, section.text.size());
    out.push_back({section.text.substr(begin, end - begin),
                   section.from_first - std::min(section.from_first, begin)});
    begin = end;
  }
}

void split_whitespace(const TextSection& section, std::vector<TextSection>& out) {
  const std::u32string& text = section.text;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && !unicode::is_whitespace(text[end])) ++end;
    if (end > begin) {
      out.push_back({text.substr(begin, end - begin),
                     section.from_first - std::min(section.from_first, begin)});
    }
    begin = end + 1;
  }
}

}  // namespace

TextNormalizer::TextNormalizer(const std::vector<NormalizerStep>& steps, const std::string& file) {
  for (const NormalizerStep& rule : steps) {
    Step step{rule, nullptr};
    if (!step.rule.charsmap.empty()) {
      step.charsmap = std::make_shared<Charsmap>(step.rule.charsmap, file);
      step.rule.charsmap.clear();
    }
    steps_.push_back(std::move(step));
  }
}

void TextNormalizer::apply(TextSection& section) const {
  using Kind = NormalizerStep::Kind;
  for (const Step& step : steps_) {
    if (section.text.empty()) return;
    switch (step.rule.kind) {
      case Kind::kPrecompiled:
        apply_map(step.charsmap.get(), section);
        break;
      case Kind::kStrip:
        strip(step.rule, section);
        break;
      case Kind::kReplace:
        replace(step.rule, section);
        break;
      case Kind::kNfc:
        section.text = unicode::nfc(section.text);
        break;
      case Kind::kNfd:
        section.text = unicode::nfd(section.text);
        break;
      case Kind::kLowercase:
        section.text = unicode::lower(section.text);
        break;
      case Kind::kPrepend:
        section.text.insert(0, step.rule.content);
        break;
    }
  }
}

std::vector<TextSection> PreTokenizer::split(TextSection section) const {
  std::vector<TextSection> words;
  if (!section.text.empty()) words.push_back(std::move(section));
  for (const PreTokenizerStep& step : steps_) {
    std::vector<TextSection> next;
    for (TextSection& word : words) {
      if (step.kind == PreTokenizerStep::Kind::kMetaspace) {
        split_metaspace(step, std::move(word), next);
      } else {
        split_whitespace(word, next);
      }
    }
    words = std::move(next);
  }
  return words;
}

}  // namespace octet
