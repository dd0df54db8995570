#include "text/bpe.h"

#include <queue>

#include "base/format.h"
#include "octet/error.h"
#include "text/unicode.h"

namespace octet {
namespace {

/// The letter of each byte: printable Latin-1 stands for itself, the others follow from U+0100.
std::array<char32_t, 256> byte_alphabet() {
  std::array<char32_t, 256> letters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    letters[byte] = printable ? byte : next++;
  }
  return letters;
}

std::int32_t find_id(const Vocabulary& vocabulary, const std::string& token) {
  const auto found = vocabulary.find(token);
  return found == vocabulary.end() ? -1 : found->second;
}

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

/// A possible merge of the symbol at `at` with the one after it.
struct Candidate {
  std::uint32_t rank;
  std::uint32_t at;
  std::int32_t left, right;  // the pair when it was found, to recognise outdated candidates
  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

}  // namespace

BpeModel::BpeModel(const BpeSpec& spec, std::int32_t unk_id, const std::string& file)
    : suffix_(spec.suffix), unk_id_(unk_id) {
  const auto letters = byte_alphabet();
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const std::string symbol = unicode::encode_utf8({&letters[byte], 1});
    bytes_[letters[byte]] = static_cast<unsigned char>(byte);
    inner_[byte] = find_id(spec.vocabulary, symbol);
    last_[byte] = find_id(spec.vocabulary, symbol + spec.suffix);
  }
  merges_.reserve(spec.merges.size());
  for (std::size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const auto& [left, right] = spec.merges[rank];
    const std::int32_t left_id = find_id(spec.vocabulary, left);
    const std::int32_t right_id = find_id(spec.vocabulary, right);
    const std::int32_t id = find_id(spec.vocabulary, left + right);
    if (left_id < 0 || right_id < 0 || id < 0) {
      throw Error(Code::kCorruptFile,
                  format("%s: merge rule %zu: expected symbols of the vocabulary, found %s",
                         excerpt(file).c_str(), rank + 1, excerpt(left + " " + right).c_str()));
    }
    merges_[pair_key(left_id, right_id)] = {static_cast<std::uint32_t>(rank), id};
  }
}

const BpeModel::Merge* BpeModel::find_merge(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BpeModel::encode_word(std::string_view word, std::vector<std::int32_t>& out) const {
  constexpr std::uint32_t kNone = UINT32_MAX;
  struct Symbol {
    std::int32_t id;  // negative: merged into its left neighbour
    std::uint32_t previous, next;
  };
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (std::size_t i = 0; i < word.size(); ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    std::int32_t id = i + 1 == word.size() ? last_[byte] : inner_[byte];
    if (id < 0) id = unk_id_;
    if (id < 0) continue;
    const auto at = static_cast<std::uint32_t>(symbols.size());
    symbols.push_back({id, at == 0 ? kNone : at - 1, at + 1});
  }
  if (symbols.empty()) return;
  symbols.back().next = kNone;

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto consider = [&](std::uint32_t at) {
    if (at == kNone || symbols[at].next == kNone) return;
    const std::int32_t left = symbols[at].id, right = symbols[symbols[at].next].id;
    if (const Merge* merge = find_merge(left, right)) queue.push({merge->rank, at, left, right});
  };
  for (std::uint32_t at = 0; at < symbols.size(); ++at) consider(at);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.at];
    if (left.id != top.left || left.next == kNone || symbols[left.next].id != top.right) continue;
    Symbol& right = symbols[left.next];
    left.id = find_merge(top.left, top.right)->id;
    right.id = -1;
    left.next = right.next;
    if (left.next != kNone) symbols[left.next].previous = top.at;
    consider(left.previous);
    consider(top.at);
  }
  for (const Symbol& symbol : symbols) {
    if (symbol.id >= 0) out.push_back(symbol.id);
  }
}

std::string BpeModel::decode_token(const std::string& token) const {
  std::string_view rest = token;
  const bool ends = !suffix_.empty() && rest.size() >= suffix_.size() &&
                    rest.substr(rest.size() - suffix_.size()) == suffix_;
  if (ends) rest.remove_suffix(suffix_.size());
  std::string out;
  for (const char32_t letter : unicode::decode_utf8(rest, "token")) {
    const auto found = bytes_.find(letter);
    if (found == bytes_.end()) {
      unicode::append_utf8(out, letter);
    } else {
      out.push_back(static_cast<char>(found->second));
    }
  }
  if (ends) out.push_back(' ');
  return out;
}

}  // namespace octet
