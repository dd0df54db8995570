#include "text/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/format.h"
#include "octet/error.h"
#include "text/unicode.h"

namespace octet {
namespace {

constexpr double kUnkPenalty = 10.0;

std::size_t sequence_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

[[noreturn]] void corrupt(const std::string& file, const std::string& what) {
  throw Error(Code::kCorruptFile,
              format("%s: vocabulary: %s", excerpt(file).c_str(), what.c_str()));
}

}  // namespace

UnigramModel::UnigramModel(UnigramSpec spec, const std::string& file) : spec_(std::move(spec)) {
  if (spec_.unk_id < 0 || spec_.unk_id >= size()) {
    corrupt(file, format("expected an unk id below %d, found %d", size(), spec_.unk_id));
  }
  double lowest = std::numeric_limits<double>::infinity();
  for (const auto& [piece, score] : spec_.pieces) {
    if (!std::isfinite(score)) corrupt(file, "expected finite scores, found one that is not");
    if (piece.size() > kMaxTokenBytes) {
      corrupt(file, format("expected pieces of at most %zu bytes, found %zu", kMaxTokenBytes,
                           piece.size()));
    }
    if (unicode::find_invalid_utf8(piece)) {
      corrupt(file, "expected UTF-8 pieces, found " + excerpt(piece));
    }
    lowest = std::min(lowest, score);
  }
  unk_score_ = lowest - kUnkPenalty;
  build_trie();
}

void UnigramModel::build_trie() {
  std::vector<std::int32_t> order(spec_.pieces.size());
  std::iota(order.begin(), order.end(), 0);
  const auto text = [&](std::int32_t id) -> const std::string& { return piece(id); };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return text(a) < text(b); });
  // Breadth first: a node stands for the sorted pieces that share its prefix.
  struct Open {
    std::size_t begin, end, depth;
  };
  std::vector<Open> open{{0, order.size(), 0}};
  nodes_.emplace_back();
  for (std::size_t n = 0; n < open.size(); ++n) {
    auto [begin, end, depth] = open[n];
    // Of equal pieces the last one counts.
    for (; begin < end && text(order[begin]).size() == depth; ++begin) {
      if (depth > 0) nodes_[n].piece = order[begin];
    }
    nodes_[n].first_edge = static_cast<std::uint32_t>(edges_.size());
    while (begin < end) {
      const char byte = text(order[begin])[depth];
      std::size_t stop = begin + 1;
      while (stop < end && text(order[stop])[depth] == byte) ++stop;
      edges_.push_back(
          {static_cast<unsigned char>(byte), static_cast<std::uint32_t>(nodes_.size())});
      nodes_.emplace_back();
      open.push_back({begin, stop, depth + 1});
      begin = stop;
    }
    nodes_[n].edge_count = static_cast<std::uint32_t>(edges_.size()) - nodes_[n].first_edge;
  }
  for (std::size_t i = 0; i < nodes_[0].edge_count; ++i)
    root_children_[edges_[i].byte] = edges_[i].node;
}

std::uint32_t UnigramModel::child(std::uint32_t node, unsigned char byte) const {
  if (node == 0) return root_children_[byte];
  const auto begin = edges_.begin() + nodes_[node].first_edge;
  const auto end = begin + nodes_[node].edge_count;
  const auto found =
      std::lower_bound(begin, end, byte, [](const Edge& e, unsigned char b) { return e.byte < b; });
  return found == end || found->byte != byte ? 0 : found->node;
}

std::int32_t UnigramModel::find(std::string_view text) const {
  std::uint32_t node = 0;
  for (const char c : text) {
    node = child(node, static_cast<unsigned char>(c));
    if (node == 0) return -1;
  }
  return text.empty() ? -1 : nodes_[node].piece;
}

void UnigramModel::encode_word(std::string_view word, std::vector<std::int32_t>& out) const {
  struct Best {
    double score = 0;
    std::int32_t id = -1;  // -1: not reached
    std::size_t begin = 0;
  };
  std::vector<Best> best(word.size() + 1);
  const auto offer = [&](std::size_t begin, std::size_t end, std::int32_t id, double score) {
    if (best[end].id < 0 || score > best[end].score) best[end] = {score, id, begin};
  };
  for (std::size_t begin = 0; begin < word.size();) {
    const double so_far = best[begin].score;
    const std::size_t first = sequence_bytes(word[begin]);
    bool covered = false;
    std::uint32_t node = 0;
    for (std::size_t end = begin; end < word.size();) {
      node = child(node, static_cast<unsigned char>(word[end++]));
      if (node == 0) break;
      const std::int32_t id = nodes_[node].piece;
      if (id < 0) continue;
      offer(begin, end, id, spec_.pieces[static_cast<std::size_t>(id)].second + so_far);
      covered = covered || end == begin + first;
    }
    if (!covered) offer(begin, begin + first, spec_.unk_id, unk_score_ + so_far);
    begin += first;
  }
  const std::size_t start = out.size();
  for (std::size_t end = word.size(); end > 0; end = best[end].begin) {
    const std::int32_t id = best[end].id;
    const bool fused = id == spec_.unk_id && out.size() > start && out.back() == id;
    if (!fused) out.push_back(id);
  }
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(start), out.end());
}

}  // namespace octet
