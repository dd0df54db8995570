// prepare(): what a weight becomes under each compute, and weights that contradict themselves.
#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/packed_weight.h"
#include "backend/op_case.h"
#include "octet/error.h"

namespace octet {
namespace {

struct Expectation {
  DType stored;
  bool convolution;
  Compute asked, effective;
  DType kept, input;
};

TEST(Prepare, EffectiveComputeAndTypes) {
  constexpr DType f32 = DType::kF32, f16 = DType::kF16, bf16 = DType::kBF16, e4 = DType::kF8E4M3,
                  e5 = DType::kF8E5M2;
  constexpr Compute full = Compute::kF32, half = Compute::kBF16, mixed = Compute::kW8A16,
                    fp8 = Compute::kFP8;
  const std::vector<Expectation> cases = {
      {f32, false, full, full, f32, f32},   {f16, false, full, full, f16, f32},
      {f32, false, half, half, bf16, bf16}, {f16, false, half, half, f16, bf16},
      {f16, false, mixed, half, f16, bf16}, {bf16, false, fp8, half, bf16, bf16},
      {e4, false, mixed, mixed, e4, bf16},  {e5, false, mixed, mixed, e5, bf16},
      {e4, false, fp8, fp8, e4, e4},        {e4, true, fp8, mixed, e4, bf16},
      {e4, false, half, half, bf16, bf16},  {e4, false, full, full, f32, f32},
  };
  const auto backend = make_cpu_backend({.threads = 1});
  Bench bench(*backend, 1);
  for (const Expectation& e : cases) {
    HostWeight host = e.convolution ? bench.weight(e.stored, {8, 8, 3, 3})
                                    : bench.weight(e.stored, {8, 8}, ScaleKind::kNone);
    if (is_fp8(e.stored)) {
      host.scale_kind = ScaleKind::kTensor;
      host.scale = {0.5f};
    }
    host.input_scale = 0.25f;
    const Weight w = backend->prepare(host, e.asked);
    SCOPED_TRACE(std::string(name_of(e.stored)) + " asked for " + name_of(e.asked));
    EXPECT_EQ(w.compute, e.effective);
    EXPECT_EQ(w.stored, e.kept);
    EXPECT_EQ(w.input, e.input);
    EXPECT_EQ(w.input_scale.has_value(), e.effective == fp8);
    EXPECT_GE(w.bytes, 64 * size_of(w.stored));
  }
}

TEST(Prepare, RefusesContradictions) {
  const auto backend = make_cpu_backend({.threads = 1});
  Bench bench(*backend, 1);
  const HostWeight good = bench.weight(DType::kF8E4M3, {6, 5}, ScaleKind::kRow);
  EXPECT_NO_THROW((void)backend->prepare(good, Compute::kW8A16));
  std::vector<HostWeight> bad(9, good);
  bad[0].data.pop_back();
  bad[1].scale.pop_back();
  bad[2].bias.pop_back();
  bad[3].dims = {6};
  bad[4].dims = {6, 5, 1, 2};
  bad[5].dims = {-6, -5};
  bad[6].dims = {std::int64_t{1} << 31, std::int64_t{1} << 31, std::int64_t{1} << 15, 1 << 15};
  bad[7].dtype = DType::kI32;
  bad[8].scale_kind = ScaleKind::kBlock;  // block stays 0
  for (std::size_t i = 0; i < bad.size(); ++i) {
    try {
      (void)backend->prepare(bad[i], Compute::kW8A16);
      ADD_FAILURE() << "case " << i << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kModelMismatch) << i;
      EXPECT_NE(std::string(e.what()).find("test.weight"), std::string::npos) << e.what();
    }
  }
}

/// Rows of a weight in memory, as a file would give them.
class RowsInMemory final : public DeferredBytes {
 public:
  RowsInMemory(std::vector<std::byte> bytes, std::int64_t rows)
      : bytes_(std::move(bytes)), rows_(rows) {}
  std::int64_t rows() const override { return rows_; }
  std::size_t row_bytes() const override { return bytes_.size() / static_cast<std::size_t>(rows_); }
  void read(std::int64_t first, std::int64_t count,
            std::span<std::byte> destination) const override {
    ASSERT_EQ(destination.size(), static_cast<std::size_t>(count) * row_bytes());
    std::copy_n(bytes_.begin() + first * static_cast<std::int64_t>(row_bytes()), destination.size(),
                destination.begin());
  }

 private:
  std::vector<std::byte> bytes_;
  std::int64_t rows_;
};

// The same weight, its bytes at hand or read while packing from parts of `heights` rows.
void expect_same_packing(Backend& backend, const HostWeight& whole, Compute compute,
                         const std::vector<std::int64_t>& heights) {
  HostWeight deferred = whole;
  const std::size_t row = whole.data.size() / static_cast<std::size_t>(whole.dims[0]);
  auto at = whole.data.begin();
  for (const std::int64_t rows : heights) {
    const auto end = at + rows * static_cast<std::int64_t>(row);
    deferred.deferred.push_back(
        std::make_shared<RowsInMemory>(std::vector<std::byte>(at, end), rows));
    at = end;
  }
  ASSERT_EQ(at, whole.data.end());
  deferred.data.clear();
  const Weight a = backend.prepare(whole, compute), b = backend.prepare(deferred, compute);
  const auto& pa = static_cast<const cpu::PackedCpuWeight&>(*a.packed);
  const auto& pb = static_cast<const cpu::PackedCpuWeight&>(*b.packed);
  ASSERT_EQ(pa.codes.size(), pb.codes.size());
  EXPECT_EQ(std::memcmp(pa.codes.data(), pb.codes.data(), pa.codes.size()), 0);
  EXPECT_EQ(pa.column_scale, pb.column_scale);
  EXPECT_EQ(a.bytes, b.bytes);
}

TEST(Prepare, BytesReadWhilePackingGiveTheSame) {
  const auto backend = make_cpu_backend({.threads = 3});
  Bench bench(*backend, 5);
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kF8E4M3}) {
    for (const Compute compute : {Compute::kF32, Compute::kBF16, Compute::kW8A16}) {
      const bool fp8 = is_fp8(dtype);
      const HostWeight w = bench.weight(dtype, {141, 37}, fp8 ? ScaleKind::kRow : ScaleKind::kNone);
      for (const std::vector<std::int64_t>& heights :
           {std::vector<std::int64_t>{141}, {47, 47, 47}, {1, 139, 1}, {64, 77}}) {
        expect_same_packing(*backend, w, compute, heights);
      }
    }
  }
  expect_same_packing(*backend, bench.weight(DType::kF16, {19, 5, 3, 3}), Compute::kBF16, {19});
}

// Codes kept as they are: [panel][ky, kx, input][column], zeros where there is nothing.
void expect_codes_in_place(Backend& backend, const HostWeight& w, Compute compute) {
  const Weight packed_weight = backend.prepare(w, compute);
  ASSERT_EQ(packed_weight.stored, w.dtype);
  const auto& p = static_cast<const cpu::PackedCpuWeight&>(*packed_weight.packed);
  const std::size_t element = size_of(w.dtype);
  const std::int64_t in = w.dims[1], window = w.dims.size() == 4 ? w.dims[2] * w.dims[3] : 1;
  const std::vector<unsigned char> zero(element);
  for (std::int64_t column = 0; column < p.panels * p.panel; ++column) {
    for (std::int64_t k = 0; k < p.depth; ++k) {
      const bool there = column < p.out && k < in * window;
      const std::int64_t at = (column * in + k % in) * window + k / in;
      const void* expected =
          there ? static_cast<const void*>(&w.data[static_cast<std::size_t>(at) * element])
                : zero.data();
      const unsigned char* found =
          p.panel_codes(column / p.panel, k) + static_cast<std::size_t>(column % p.panel) * element;
      ASSERT_EQ(std::memcmp(found, expected, element), 0) << "column " << column << ", k " << k;
    }
  }
}

TEST(Prepare, CodesLieWhereTilesWantThem) {
  const auto backend = make_cpu_backend({.threads = 2});
  Bench bench(*backend, 7);
  for (const std::vector<std::int64_t>& dims :
       {std::vector<std::int64_t>{1, 1}, {16, 16}, {15, 17}, {33, 31}, {64, 48}, {141, 37}}) {
    expect_codes_in_place(*backend, bench.weight(DType::kF32, dims), Compute::kF32);
    expect_codes_in_place(*backend, bench.weight(DType::kF16, dims), Compute::kBF16);
    expect_codes_in_place(*backend, bench.weight(DType::kF8E4M3, dims, ScaleKind::kRow),
                          Compute::kW8A16);
  }
  expect_codes_in_place(*backend, bench.weight(DType::kF16, {19, 21, 3, 3}), Compute::kBF16);
}

TEST(CpuBackend, UploadsWhatIsNotReadYet) {
  const auto backend = make_cpu_backend({.threads = 1});
  std::vector<std::byte> bytes(24);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  const Deferred parts = {
      std::make_shared<RowsInMemory>(std::vector<std::byte>(bytes.begin(), bytes.begin() + 8), 2),
      std::make_shared<RowsInMemory>(std::vector<std::byte>(bytes.begin() + 8, bytes.end()), 4)};
  const Buffer memory = backend->allocate(24);
  backend->upload_deferred(make_tensor(memory.data(), DType::kF32, {6}), parts);
  EXPECT_EQ(std::memcmp(memory.data(), bytes.data(), 24), 0);
  EXPECT_THROW(backend->upload_deferred(make_tensor(memory.data(), DType::kF32, {5}), parts),
               Error);
}

TEST(CpuBackend, SaysWhatItIs) {
  const auto backend = make_cpu_backend({.threads = 2, .isa = CpuIsa::kGeneric});
  const DeviceInfo info = backend->info();
  EXPECT_EQ(info.kind, "cpu");
  EXPECT_EQ(info.capabilities, "generic");
  EXPECT_EQ(info.threads, 2);
  EXPECT_FALSE(info.name.empty());
  EXPECT_GT(info.memory, 0u);
  EXPECT_EQ(backend->stream_dtype(Compute::kFP8), DType::kF32);
  EXPECT_THROW((void)make_cpu_backend({.threads = -1}), Error);
}

TEST(CpuBackend, UploadAndDownload) {
  const auto backend = make_cpu_backend({.threads = 1});
  const Buffer memory = backend->allocate(12);
  const Tensor t = make_tensor(memory.data(), DType::kF32, {3});
  const float values[3] = {1, 2, 3};
  backend->upload(t, std::as_bytes(std::span(values)));
  float back[3] = {};
  backend->download(std::as_writable_bytes(std::span(back)), t);
  EXPECT_EQ(back[2], 3);
  EXPECT_THROW(backend->upload(t, std::as_bytes(std::span(values)).first(8)), Error);
}

}  // namespace
}  // namespace octet
