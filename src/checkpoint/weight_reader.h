// WeightReader: strict access to the tensors of one component.
//
// Whatever the layout of the files, a model asks for each tensor by its diffusers name and shape
// (canonical_names.h) and gets it with its scales (scales.h). What is missing is noted and answered
// with zeros; finish() then refuses the model, naming both the missing tensors and those that
// nobody asked for, so that no tensor is ever silently ignored. Harmless extras stand in one table
// with the reason (kIgnoredTensors in weight_reader.cc).
//
// Values are read when they are asked for. Not thread-safe. Errors: Error(kModelMismatch) for names
// and shapes, Error(kCorruptFile) for values that cannot be (non-finite or non-positive scales),
// Error(kUnsupported) for dtypes.
#pragma once

#include <array>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "backend/weight.h"
#include "checkpoint/canonical_names.h"
#include "checkpoint/lora_patch.h"
#include "checkpoint/scale_reader.h"

namespace octet {

/// A tensor's bytes in host memory, for tables that are used in their stored dtype.
struct HostTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> dims;
  std::vector<std::byte> data;  // empty with `deferred`
  Deferred deferred;
};

/// Whether weights are read or only described. With kShapes a weight or table comes without its
/// bytes (HostWeight::data is empty); vectors, biases and scales are read all the same: they are
/// small, and a scale that cannot be is then refused from the headers alone.
enum class Values : std::uint8_t { kRead, kShapes };

/// The scales that were found beside weights so far.
struct ScaleSummary {
  std::array<int, 4> weights{};                                  // FP8 weights by ScaleKind
  int inputs = 0;                                                // static activation scales
  float low = std::numeric_limits<float>::infinity(), high = 0;  // over all weight scales

  void add(const HostWeight& weight);
  /// "per row (36 weights)", "none"; with static activation scales also how many.
  [[nodiscard]] std::string describe() const;
};

/// Which tensors of the files are meant, and how they are to be understood.
struct ComponentSpec {
  std::string name;                // "transformer", for messages
  Family family = Family::kOther;  // whose names
  std::string prefix = {};         // of the component's names in the files
  std::string quantization = {};   // JSON that a folder keeps beside the weights; may be empty
  bool plain_fp8 = false;          // FP8 without scales is a plain cast, whatever its codes
  Values values = Values::kRead;
};

class WeightReader {
 public:
  /// Tensors of all files (shards) together; the same name in two files is refused.
  WeightReader(ComponentSpec spec, TensorFiles files);
  /// Names as stored.
  WeightReader(std::string component, TensorFiles files, Values values = Values::kRead)
      : WeightReader(ComponentSpec{.name = std::move(component), .values = values},
                     std::move(files)) {}

  /// From now on large tensors come as HostWeight::deferred where their bytes need no look.
  void defer_reads(bool defer) { defer_ = defer; }

  [[nodiscard]] bool has(const std::string& name) const { return view_.tensors.count(name) != 0; }
  /// Dimensions as stored; throws kModelMismatch when the tensor is absent. Does not mark as read.
  [[nodiscard]] std::vector<std::int64_t> dims(const std::string& name) const;
  /// 1 + the largest number N in names that start with `prefix` + "N."; 0 when there is none.
  [[nodiscard]] int count(const std::string& prefix) const;

  /// `name`.weight [out, in] with scales, and `name`.bias when `bias`.
  [[nodiscard]] HostWeight linear(const std::string& name, std::int64_t out, std::int64_t in,
                                  bool bias);
  /// Several linears of equal input stacked by rows (q, k, v). Different scales become row scales.
  [[nodiscard]] HostWeight stacked(std::initializer_list<std::string> names, std::int64_t out_each,
                                   std::int64_t in, bool bias);
  /// `name`.weight [out, in, k, k] and `name`.bias; a stored [out, in] is read as k = 1.
  [[nodiscard]] HostWeight conv(const std::string& name, std::int64_t out, std::int64_t in,
                                std::int64_t kernel);
  /// A vector decoded to FP32 (norm weights).
  [[nodiscard]] std::vector<float> vector(const std::string& name, std::int64_t size);
  /// A table in its stored dtype; FP8 is decoded to BF16 with its scale.
  [[nodiscard]] HostTensor table(const std::string& name, std::vector<std::int64_t> dims);

  /// All tensors by the names that models ask for: as they are stored, but in the shape asked for.
  [[nodiscard]] std::map<std::string, TensorInfo> tensors() const;
  /// One of them with its bytes, and the scales of its rows. Does not mark as read.
  [[nodiscard]] HostWeight tensor(const std::string& name) const;
  /// The names of all layers that have a weight.
  [[nodiscard]] std::vector<std::string> layers() const;
  /// From now on every linear and convolution weight goes through `patch`, which must outlive the
  /// reader's use.
  void patch_with(LoraPatch& patch) { patch_ = &patch; }

  /// Marks a tensor as known and not needed, if it is there.
  void ignore(const std::string& name) { read_.insert(name); }
  /// Throws kModelMismatch when anything was missing or stayed unread.
  void finish() const;

  /// Whose names the files have: "diffusers", "Stability single file", ...
  [[nodiscard]] const std::string& layout() const { return view_.layout; }
  /// How FP8 weights are scaled; empty without FP8 weights.
  [[nodiscard]] const std::string& scheme() const { return scheme_; }

  /// Bytes per stored dtype of all tensors, for "what is this file".
  [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> dtype_bytes() const;
  [[nodiscard]] std::int64_t tensor_count() const;
  [[nodiscard]] const ScaleSummary& scales() const { return scales_; }
  /// How many weights read so far may not have 8-bit inputs, by the file's reason.
  [[nodiscard]] const std::map<std::string, int>& wide_inputs() const { return wide_inputs_; }

 private:
  void note_missing(const std::string& name, const std::vector<std::int64_t>& dims);
  const CanonicalTensor* take(const std::string& name, const std::vector<std::int64_t>& dims,
                              bool exact);
  std::vector<float> floats(const std::string& name, const std::vector<std::int64_t>& dims);
  HostWeight weight(const std::vector<std::string>& names, std::vector<std::int64_t> dims_each,
                    bool bias);
  [[nodiscard]] HostWeight read(const std::vector<const CanonicalTensor*>& parts,
                                Values values) const;
  [[nodiscard]] std::vector<std::byte> zeros(std::int64_t floats) const;
  void check_scaled_dtype(const StoredTensor& tensor, RowScales& scales) const;
  void check_plain_cast(const HostWeight& weight) const;
  /// Values with their scales multiplied in; FP8 becomes `fp8_as`.
  [[nodiscard]] HostTensor decoded(const CanonicalTensor& tensor, DType fp8_as, Values values);

  ComponentSpec spec_;
  TensorFiles files_;
  std::string scheme_;
  ScaleSummary scales_;
  std::map<std::string, int> wide_inputs_;
  std::map<std::string, StoredTensor> stored_;
  CanonicalView view_;  // into stored_
  std::set<std::string> read_;
  std::vector<std::string> missing_;
  std::int64_t missing_values_ = 0;
  bool defer_ = false;
  LoraPatch* patch_ = nullptr;
};

}  // namespace octet
