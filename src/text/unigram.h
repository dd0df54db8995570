// The Unigram model: cuts a word into the pieces with the highest sum of log-probabilities.
//
// Viterbi search over code-point boundaries (Kudo 2018, "Subword Regularization"), scores summed
// in FP64 from the left; of equal sums the piece found first (earliest start) stays. A character
// that no single-character piece covers may become the unknown token, at the lowest score of the
// vocabulary minus 10; neighbouring unknowns fuse into one.
//
// Ownership: owns pieces and trie. Thread-safety: const after construction. Errors: the
// constructor throws kCorruptFile (invalid UTF-8, overlong or no pieces, scores that are not
// finite, unk id outside).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace octet {

class UnigramModel {
 public:
  UnigramModel() = default;
  UnigramModel(UnigramSpec spec, const std::string& file);

  /// Appends the ids of `word` (well-formed UTF-8).
  void encode_word(std::string_view word, std::vector<std::int32_t>& out) const;
  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(spec_.pieces.size()); }
  [[nodiscard]] const std::string& piece(std::int32_t id) const {
    return spec_.pieces[static_cast<std::size_t>(id)].first;
  }
  /// Id of a piece, or -1.
  [[nodiscard]] std::int32_t find(std::string_view piece) const;

 private:
  struct Node {
    std::uint32_t first_edge = 0;  // into edges_
    std::uint32_t edge_count = 0;
    std::int32_t piece = -1;  // the piece that ends here
  };
  struct Edge {
    unsigned char byte;
    std::uint32_t node;
  };
  [[nodiscard]] std::uint32_t child(std::uint32_t node, unsigned char byte) const;
  void build_trie();

  UnigramSpec spec_;
  double unk_score_ = 0;
  std::vector<Node> nodes_;                         // nodes_[0] is the root
  std::vector<Edge> edges_;                         // of each node together, sorted by byte
  std::array<std::uint32_t, 256> root_children_{};  // 0: none
};

}  // namespace octet
