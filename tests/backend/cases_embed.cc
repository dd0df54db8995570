// Embeddings, patches, positions.
#include <cmath>

#include "backend/op_case.h"

namespace octet {
namespace {

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

OpCase tokens(DType out, DType table_type, bool positions) {
  return {"embed_tokens",
          std::string(name_of(out)) + " " + name_of(table_type) + (positions ? " pos" : ""),
          [=](Bench& b) {
            const std::int64_t n = 45;
            const Tensor ids = b.ints({2, 7}, 23);
            const Tensor table = b.input(table_type, {23, n});
            const Tensor position = b.input(DType::kF32, {9, n});
            const Tensor dst = b.output(out, {2, 7, n}, 4);
            EmbedTokensArgs a{.dst = dst, .ids = ids, .table = table, .positions = {}};
            if (positions) a.positions = position;
            ops::embed_tokens(b.ctx(), a);
            const Values rows = values_of(table);
            const Values id = values_of(ids);
            const Values pos = values_of(position);
            Values wanted;
            for (std::size_t r = 0; r < id.size(); ++r) {
              for (std::size_t i = 0; i < u(n); ++i) {
                wanted.push_back(rows[static_cast<std::size_t>(id[r]) * u(n) + i] +
                                 (positions ? pos[r % 7 * u(n) + i] : 0));
              }
            }
            b.expect(dst, wanted, 1e-7, 0);
          }};
}

OpCase timesteps(DType out, std::int64_t n) {
  return {"timestep_embedding", std::string(name_of(out)) + " " + std::to_string(n), [=](Bench& b) {
            const Tensor t = b.input(DType::kF32, {5}, {.row_gap = 0, .low = 0, .high = 1000});
            const Tensor dst = b.output(out, {5, n});
            ops::timestep_embedding(b.ctx(), {.dst = dst, .timesteps = t});
            Values wanted;
            for (const double x : values_of(t)) {
              for (const bool sine : {false, true}) {
                for (std::int64_t k = 0; k < n / 2; ++k) {
                  const double angle =
                      x * std::pow(10000.0, -2.0 * static_cast<double>(k) / static_cast<double>(n));
                  wanted.push_back(sine ? std::sin(angle) : std::cos(angle));
                }
              }
            }
            b.expect(dst, wanted, 1e-6, 1e-6);
          }};
}

// Both directions visit (token, inside) pairs; only the order inside a patch differs.
template <typename F>
void for_patches(std::int64_t batch, std::int64_t c, std::int64_t h, std::int64_t w, std::int64_t p,
                 F f) {
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t ch = 0; ch < c; ++ch) {
      for (std::int64_t y = 0; y < h; ++y) {
        for (std::int64_t x = 0; x < w; ++x) {
          const std::int64_t token = (b * (h / p) + y / p) * (w / p) + x / p;
          f(u(((b * c + ch) * h + y) * w + x), token, ch, y % p, x % p);
        }
      }
    }
  }
}

OpCase to_patches(DType out, std::int64_t p) {
  return {"patchify", std::string(name_of(out)) + " " + std::to_string(p), [=](Bench& b) {
            const std::int64_t h = 3 * p, w = 5 * p, c = 5;
            const Tensor src = b.input(DType::kF32, {2, c, h, w});
            const Tensor dst = b.output(out, {2, 15, c * p * p});
            ops::patchify(b.ctx(), {.dst = dst, .src = src, .patch = p});
            const Values x = values_of(src);
            Values wanted(x.size());
            for_patches(2, c, h, w, p,
                        [&](std::size_t i, std::int64_t token, std::int64_t ch, std::int64_t py,
                            std::int64_t px) {
                          wanted[u(token * c * p * p + ch * p * p + py * p + px)] = x[i];
                        });
            b.expect(dst, wanted, 0, 0);
          }};
}

OpCase from_patches(DType in, std::int64_t p) {
  return {"unpatchify", std::string(name_of(in)) + " " + std::to_string(p), [=](Bench& b) {
            const std::int64_t h = 3 * p, w = 5 * p, c = 5;
            const Tensor src = b.input(in, {2, 15, c * p * p});
            const Tensor dst = b.output(DType::kF32, {2, c, h, w});
            ops::unpatchify(b.ctx(), {.dst = dst, .src = src, .patch = p});
            const Values x = values_of(src);
            Values wanted(x.size());
            for_patches(2, c, h, w, p,
                        [&](std::size_t i, std::int64_t token, std::int64_t ch, std::int64_t py,
                            std::int64_t px) {
                          wanted[i] = x[u(token * c * p * p + (py * p + px) * c + ch)];
                        });
            b.expect(dst, wanted, 0, 0);
          }};
}

OpCase positions(DType x_type, DType table_type, std::int64_t h, std::int64_t w,
                 std::int64_t n = 35) {
  return {"add_position_crop",
          std::string(name_of(x_type)) + " " + name_of(table_type) + " " + std::to_string(h) + "x" +
              std::to_string(w) + "x" + std::to_string(n),
          [=](Bench& b) {
            const std::int64_t side = 8;
            const Tensor x = b.in_place(x_type, {2, h * w, n}, {});
            const Tensor table = b.input(table_type, {side, side, n});
            Values wanted = values_of(x);
            const Values t = values_of(table);
            for (std::int64_t r = 0; r < 2 * h * w; ++r) {
              const std::int64_t i = r % (h * w) / w + (side - h) / 2;
              const std::int64_t j = r % w + (side - w) / 2;
              for (std::int64_t c = 0; c < n; ++c) {
                wanted[u(r * n + c)] += t[u((i * side + j) * n + c)];
              }
            }
            ops::add_position_crop(b.ctx(), {.x = x, .table = table, .height = h, .width = w});
            b.expect(x, wanted, 1e-7, 1e-7);
          }};
}

OpCase relative(DType table_type, std::int64_t tokens, std::int64_t buckets, std::int64_t far) {
  return {"relative_position_bias", std::string(name_of(table_type)) + " " + std::to_string(tokens),
          [=](Bench& b) {
            const std::int64_t heads = 3;
            const Tensor table = b.input(table_type, {buckets, heads});
            const Tensor dst = b.output(DType::kF32, {heads, tokens, tokens});
            ops::relative_position_bias(b.ctx(), {.dst = dst, .table = table, .max_distance = far});
            const Values t = values_of(table);
            Values wanted;
            for (std::int64_t h = 0; h < heads; ++h) {
              for (std::int64_t q = 0; q < tokens; ++q) {
                for (std::int64_t k = 0; k < tokens; ++k) {
                  wanted.push_back(t[u(reference::t5_bucket(k - q, buckets, far) * heads + h)]);
                }
              }
            }
            b.expect(dst, wanted, 0, 0);
          }};
}

}  // namespace

std::vector<OpCase> embed_cases() {
  std::vector<OpCase> cases;
  cases.push_back(tokens(DType::kF32, DType::kF32, false));
  cases.push_back(tokens(DType::kF32, DType::kF16, true));
  cases.push_back(tokens(DType::kBF16, DType::kBF16, true));
  cases.push_back(tokens(DType::kBF16, DType::kF8E4M3, false));
  cases.push_back(timesteps(DType::kF32, 256));
  cases.push_back(timesteps(DType::kBF16, 38));
  for (const std::int64_t p : {1, 2, 3}) {
    cases.push_back(to_patches(DType::kF32, p));
    cases.push_back(from_patches(DType::kF32, p));
  }
  cases.push_back(to_patches(DType::kBF16, 2));
  cases.push_back(from_patches(DType::kBF16, 2));
  cases.push_back(positions(DType::kF32, DType::kF32, 8, 8));
  cases.push_back(positions(DType::kF32, DType::kF16, 3, 5));
  cases.push_back(positions(DType::kBF16, DType::kBF16, 4, 1));
  for (const DType x : {DType::kF32, DType::kBF16}) {  // whole vectors
    cases.push_back(positions(x, DType::kF32, 5, 6, 40));
    cases.push_back(positions(x, DType::kBF16, 8, 3, 24));
  }
  cases.push_back(relative(DType::kF32, 77, 32, 128));
  cases.push_back(relative(DType::kBF16, 300, 32, 128));
  cases.push_back(relative(DType::kF16, 19, 8, 20));
  return cases;
}

}  // namespace octet
