// Reads the SentencePiece model file (spiece.model), a protocol buffer.
//
// Source of the format: sentencepiece_model.proto of the SentencePiece project. Of ModelProto the
// reader keeps pieces (1: piece 1, score 2, type 3), the trainer's model_type (2: 3) and the
// normaliser (3: precompiled_charsmap 2, add_dummy_prefix 3, remove_extra_whitespaces 4,
// escape_whitespaces 5); every other field is skipped.
//
// Ownership: copies everything. Thread-safety: pure. Errors: kCorruptFile with the offset;
// kUnsupported for models that are not Unigram.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

struct SpiecePiece {
  enum class Type { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  std::string text;
  float score = 0;
  Type type = Type::kNormal;
};

struct SpieceModel {
  std::vector<SpiecePiece> pieces;
  std::int32_t unk_id = -1;  // the one piece of type kUnknown
  std::string charsmap;      // may be empty
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

/// `file` names the source in messages.
[[nodiscard]] SpieceModel read_spiece_model(std::string_view bytes, const std::string& file);

}  // namespace octet
