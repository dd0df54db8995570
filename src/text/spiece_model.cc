#include "text/spiece_model.h"

#include <cstring>
#include <utility>

#include "base/format.h"
#include "octet/error.h"
#include "text/tokenizer_spec.h"
#include "text/unicode.h"

namespace octet {
namespace {

enum class Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

/// One field of a message: its number, and its value by wire type.
struct Field {
  std::uint64_t number = 0;
  Wire wire = Wire::kVarint;
  std::uint64_t value = 0;  // kVarint, kFixed32, kFixed64
  std::string_view bytes;   // kBytes
};

/// Walks over the fields of one message; offsets in messages count from its start.
class MessageReader {
 public:
  MessageReader(std::string_view bytes, const char* message, const std::string& file)
      : bytes_(bytes), message_(message), file_(file) {}

  [[nodiscard]] bool done() const { return at_ >= bytes_.size(); }

  Field next() {
    Field field;
    const std::uint64_t key = varint();
    field.number = key >> 3;
    field.wire = static_cast<Wire>(key & 7);
    switch (field.wire) {
      case Wire::kVarint:
        field.value = varint();
        break;
      case Wire::kFixed64:
        field.value = fixed(8);
        break;
      case Wire::kFixed32:
        field.value = fixed(4);
        break;
      case Wire::kBytes:
        field.bytes = take(varint());
        break;
      default:
        fail("a known wire type");
    }
    return field;
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw Error(Code::kCorruptFile,
                format("%s: %s: expected %s, found something else before offset %zu of %zu",
                       excerpt(file_).c_str(), message_, expected.c_str(), at_, bytes_.size()));
  }

  std::string_view require_bytes(const Field& field) const {
    if (field.wire != Wire::kBytes) fail(format("bytes in field %u", number_of(field)));
    return field.bytes;
  }
  std::uint64_t require_varint(const Field& field) const {
    if (field.wire != Wire::kVarint) fail(format("a number in field %u", number_of(field)));
    return field.value;
  }
  float require_float(const Field& field) const {
    if (field.wire != Wire::kFixed32) fail(format("a float in field %u", number_of(field)));
    const auto bits = static_cast<std::uint32_t>(field.value);
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

 private:
  static unsigned number_of(const Field& field) { return static_cast<unsigned>(field.number); }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (done()) fail("a complete number");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail("a number of at most 10 bytes");
  }

  std::string_view take(std::uint64_t length) {
    if (length > bytes_.size() - at_)
      fail(format("%llu more bytes", static_cast<unsigned long long>(length)));
    const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(length));
    at_ += taken.size();
    return taken;
  }

  std::uint64_t fixed(std::size_t size) {
    const std::string_view taken = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
    }
    return value;
  }

  std::string_view bytes_;
  const char* message_;
  const std::string& file_;
  std::size_t at_ = 0;
};

SpiecePiece read_piece(std::string_view bytes, const std::string& file) {
  MessageReader reader(bytes, "piece", file);
  SpiecePiece piece;
  while (!reader.done()) {
    const Field field = reader.next();
    if (field.number == 1) piece.text = reader.require_bytes(field);
    if (field.number == 2) piece.score = reader.require_float(field);
    if (field.number == 3) {
      const std::uint64_t type = reader.require_varint(field);
      if (type < 1 || type > 6) reader.fail("a piece type from 1 to 6");
      piece.type = static_cast<SpiecePiece::Type>(type);
    }
  }
  if (piece.text.size() > kMaxTokenBytes)
    reader.fail(format("at most %zu bytes of text", kMaxTokenBytes));
  if (unicode::find_invalid_utf8(piece.text)) reader.fail("UTF-8 text");
  return piece;
}

void read_normalizer(std::string_view bytes, const std::string& file, SpieceModel& model) {
  MessageReader reader(bytes, "normalizer_spec", file);
  while (!reader.done()) {
    const Field field = reader.next();
    if (field.number == 2) model.charsmap = reader.require_bytes(field);
    if (field.number == 3) model.add_dummy_prefix = reader.require_varint(field) != 0;
    if (field.number == 4) model.remove_extra_whitespaces = reader.require_varint(field) != 0;
    if (field.number == 5) model.escape_whitespaces = reader.require_varint(field) != 0;
  }
}

void check_trainer(std::string_view bytes, const std::string& file) {
  constexpr std::uint64_t kUnigram = 1;
  MessageReader reader(bytes, "trainer_spec", file);
  while (!reader.done()) {
    const Field field = reader.next();
    if (field.number != 3 || reader.require_varint(field) == kUnigram) continue;
    throw Error(Code::kUnsupported,
                format("%s: trainer_spec model_type: expected 1 (Unigram), found %llu",
                       excerpt(file).c_str(), static_cast<unsigned long long>(field.value)));
  }
}

}  // namespace

SpieceModel read_spiece_model(std::string_view bytes, const std::string& file) {
  MessageReader reader(bytes, "model", file);
  SpieceModel model;
  while (!reader.done()) {
    const Field field = reader.next();
    if (field.number == 1) {
      model.pieces.push_back(read_piece(reader.require_bytes(field), file));
      if (model.pieces.back().type != SpiecePiece::Type::kUnknown) continue;
      if (model.unk_id >= 0) reader.fail("one piece of type unknown");
      model.unk_id = static_cast<std::int32_t>(model.pieces.size()) - 1;
    } else if (field.number == 2) {
      check_trainer(reader.require_bytes(field), file);
    } else if (field.number == 3) {
      read_normalizer(reader.require_bytes(field), file, model);
    }
    if (model.pieces.size() > static_cast<std::size_t>(kMaxTokenId)) reader.fail("fewer pieces");
  }
  if (model.unk_id < 0) reader.fail("a piece of type unknown");
  return model;
}

}  // namespace octet
