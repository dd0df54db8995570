// Requests of all kinds, alone and as guests of a running batch.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/format.h"
#include "octet/batch.h"
#include "pipeline/generate.h"
#include "pipeline/settings.h"

namespace octet::test {

inline std::string told(const Progress& p) {
  return format("%d:%d/%d", static_cast<int>(p.stage), p.step, p.steps);
}

/// One request in a batch and what its hooks were told.
struct Guest {
  GenerateRequest request;
  Batch::Id id = 0;
  int stop_after = -1;  // reports, then its hook cancels
  std::vector<std::string> progress{};
  std::optional<GenerateResult> result{};
  std::optional<Error> error{};
  std::vector<Preview> previews{};
  int ends = 0;
  std::function<void()> on_end{};

  void join(Batch& batch) {
    BatchHooks hooks;
    hooks.progress = [this](const Progress& p) {
      EXPECT_EQ(ends, 0) << "nothing after the end";
      progress.push_back(told(p));
      return stop_after < 0 || static_cast<int>(progress.size()) <= stop_after;
    };
    hooks.preview = [this](Preview p) {
      EXPECT_EQ(ends, 0);
      EXPECT_EQ(progress.back(), format("3:%d/%d", p.step, p.steps)) << "after its step";
      previews.push_back(std::move(p));
    };
    hooks.done = [this](GenerateResult r) {
      ++ends;
      result = std::move(r);
      if (on_end) on_end();
    };
    hooks.failed = [this](const Error& e) {
      ++ends;
      error = e;
      if (on_end) on_end();
    };
    id = batch.join(request, std::move(hooks));
  }
};

/// What the request gives when it is alone.
struct Alone {
  GenerateResult result;
  std::vector<std::string> progress;
};
inline Alone alone(Backend& backend, const Models& models, const GenerateRequest& request,
                   DType stream) {
  const UsedSettings settings = resolve_settings(request, models);
  Arena arena(backend.allocate(plan_activations(models, request, settings, stream)));
  Alone a;
  GenerateHooks hooks;
  hooks.progress = [&](const Progress& p) {
    a.progress.push_back(told(p));
    return true;
  };
  a.result = run_pipeline({backend, arena}, models, request, settings, hooks);
  return a;
}

inline void expect_as_alone(const Guest& guest, Backend& backend, const Models& models) {
  ASSERT_TRUE(guest.result) << (guest.error ? guest.error->what() : "no end");
  const Alone a = alone(backend, models, guest.request, backend.stream_dtype(Compute::kBF16));
  EXPECT_EQ(guest.progress, a.progress);
  EXPECT_EQ(guest.result->warnings, a.result.warnings);
  ASSERT_EQ(guest.result->pictures.size(), a.result.pictures.size());
  for (std::size_t i = 0; i < a.result.pictures.size(); ++i) {
    const Picture &in_batch = guest.result->pictures[i], &by_itself = a.result.pictures[i];
    EXPECT_EQ(in_batch.rgb, by_itself.rgb) << i;
    EXPECT_EQ(in_batch.seed, by_itself.seed);
    EXPECT_EQ(in_batch.width, by_itself.width);
    EXPECT_EQ(in_batch.height, by_itself.height);
  }
}

// A picture to begin with, and a mask for some of them.
inline void add_init(GenerateRequest& r, std::mt19937& random) {
  InitPicture& init = r.init.emplace();
  init.width = 20, init.height = 30;
  for (int i = 0; i < 3 * 20 * 30; ++i) init.rgb.push_back(static_cast<std::uint8_t>(random()));
  r.steps = 4;
  r.strength = random() % 2 == 0 ? 0.5 : 1.0;
  if (random() % 2 != 0) return;
  r.mask = InitMask{.width = 8, .height = 8, .values = std::vector<std::uint8_t>(64, 255)};
  for (std::size_t i = 0; i < 40; ++i) r.mask->values[i] = 0;
}

inline GenerateRequest random_request(std::mt19937& random) {
  const auto one_of = [&](auto... values) {
    const std::common_type_t<decltype(values)...> all[] = {values...};
    return all[random() % sizeof...(values)];
  };
  GenerateRequest r{.prompt = one_of("a red apple", "two cats", "x", ""),
                    .negative_prompt = one_of("", "two cats", "blue"),
                    .steps = one_of(1, 2, 3, 5),
                    .guidance = one_of(1.0f, 3.0f, 4.5f),
                    .shift = one_of(1.0f, 3.0f),
                    .seed = random(),
                    .width = 32,
                    .height = one_of(16, 16, 16, 48),
                    .batch = one_of(1, 1, 1, 2),
                    .sampler = one_of("euler", "dpmpp_2m"),
                    .schedule = one_of("normal", "simple")};
  if (random() % 4 == 0) r.skip_layers = {one_of(0, 1)}, r.skip_end = 1.0f;
  if (random() % 4 == 0) r.compat = one_of(Compat::kComfyUi, Compat::kReference);
  if (random() % 6 == 0) r.t5_length = 7;
  if (random() % 4 == 0) add_init(r, random);
  if (random() % 5 == 0) {
    std::string& text = random() % 2 == 0 ? r.prompt : r.negative_prompt;
    for (int i = 0; i < 120; ++i) text += " apple";  // in ComfyUI's way: several chunks
  }
  return r;
}

}  // namespace octet::test
