// An engine without a model, so that the command line is tested in milliseconds.
//
// The name of the model says what happens: "emoji" works, "slow" takes 50 ms a step, "stuck" takes
// 20 s, "loading" takes 20 s to load, "missing" and "corrupt" cannot be loaded, "huge" runs out of
// memory, "broken" throws what is no octet::Error, "wordy" warns, "other" works and has another
// digest and differs from every lock; reading "slow" takes 20 s in 10 ms pieces. Pictures depend on
// seed, size and settings like those of a real engine. Some prompts mean trouble: "crash" aborts,
// "lose the device", "not finite" and "too large" throw, "never fits" is refused before it begins.

#include <chrono>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/format.h"
#include "octet/engine.h"
#include "octet/error.h"
#include "octet/inspect.h"
#include "octet/lock.h"

namespace octet {
namespace {

void fail_to_load(const std::string& model) {
  if (model == "loading") {
    std::cerr << "now loading" << std::endl;
    std::this_thread::sleep_for(std::chrono::seconds(20));
  }
  if (model == "missing") {
    throw Error(Code::kIo, "--model: expected a built-in model or a folder, found 'missing'");
  }
  if (model == "corrupt") throw Error(Code::kCorruptFile, "model.safetensors: truncated\nheader");
  if (model == "huge") throw std::bad_alloc();
  if (model == "broken") throw std::runtime_error("no idea");
}

template <class Value>
FloatArray array_of(std::vector<std::int64_t> dims, Value value) {
  std::size_t count = 1;
  for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
  return {.dims = std::move(dims), .values = std::vector<float>(count, static_cast<float>(value))};
}

UsedSettings used_settings(const GenerateRequest& request) {
  UsedSettings used;
  used.steps = request.steps.value_or(20);
  used.guidance = request.guidance.value_or(4.5F);
  used.shift = request.shift.value_or(3.0F);
  used.run_steps = used.steps;
  if (request.init) used.strength = request.strength.value_or(0.6);
  used.seed = request.seed.value_or(1234567);
  used.width = request.width.value_or(64);
  used.height = request.height.value_or(64);
  used.sampler = request.sampler.value_or("euler");
  used.schedule = request.schedule.value_or("simple");
  used.skip_scale = request.skip_scale.value_or(2.8F);
  used.skip_start = request.skip_start.value_or(0.01F);
  used.skip_end = request.skip_end.value_or(0.2F);
  used.t5_length = request.t5_length.value_or(256);
  return used;
}

/// Different for every setting that matters, equal for equal settings.
std::uint64_t fingerprint(const GenerateRequest& request, const UsedSettings& used) {
  std::uint64_t hash = 1469598103934665603U;
  std::string all =
      format("%s|%s|%d|%.9g|%.9g|%s|%s|%.9g|%.9g|%.9g|%d|%d", request.prompt.c_str(),
             request.negative_prompt.c_str(), used.steps, static_cast<double>(used.guidance),
             static_cast<double>(used.shift), used.sampler.c_str(), used.schedule.c_str(),
             static_cast<double>(used.skip_scale), static_cast<double>(used.skip_start),
             static_cast<double>(used.skip_end), used.t5_length, static_cast<int>(request.compat));
  for (const int layer : request.skip_layers) all.append(",").append(std::to_string(layer));
  if (request.init) {
    all += format("|%.17g|%dx%d", used.strength, request.init->width, request.init->height);
    for (const std::uint8_t value : request.init->rgb) all += static_cast<char>(value);
  }
  if (request.mask) {
    for (const std::uint8_t value : request.mask->values) all += static_cast<char>(value);
  }
  if (request.noise) all += format("|%.9g", static_cast<double>(request.noise->values.at(0)));
  for (const char c : all) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

Picture picture_of(std::uint64_t hash, const UsedSettings& used, std::uint64_t seed) {
  Picture picture{.width = used.width, .height = used.height, .rgb = {}, .seed = seed};
  std::uint64_t state = hash + seed * 0x9e3779b97f4a7c15U;
  picture.rgb.resize(static_cast<std::size_t>(used.width) * static_cast<std::size_t>(used.height) *
                     3);
  for (std::uint8_t& value : picture.rgb) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    value = static_cast<std::uint8_t>(state >> 56);
  }
  return picture;
}

}  // namespace

struct Engine::Impl {
  ModelInfo info;
};

Engine::Engine(const EngineOptions& options) : impl_(std::make_unique<Impl>()) {
  fail_to_load(options.model);
  if (options.variant && *options.variant != "fp8") {
    throw Error(Code::kModelMismatch,
                format("--variant: expected fp8, found '%s'", options.variant->c_str()));
  }
  impl_->info.name = options.model;
  impl_->info.path = "built-in";
  impl_->info.variant = "fp8";
  impl_->info.digest = std::string(64, options.model == "other" ? 'b' : 'a');
  impl_->info.device = "cpu: stub";
  impl_->info.load_seconds = 0.01;
  impl_->info.defaults = used_settings({.seed = 0});
  impl_->info.side_multiple = 16;
  impl_->info.longest_side = 512;
  impl_->info.components = {{.name = "transformer",
                             .architecture = "stub",
                             .stored = "f8_e4m3",
                             .compute = "w8a16",
                             .reason = "no FP8 arithmetic on this CPU",
                             .bytes = 3 << 20},
                            {.name = "vae",
                             .architecture = "stub",
                             .stored = "f32",
                             .compute = "f32",
                             .reason = "",
                             .bytes = 1 << 20}};
}

Engine::~Engine() = default;

const ModelInfo& Engine::model() const { return impl_->info; }

Profile Engine::count(const GenerateRequest& request) const {
  Profile profile;
  profile.steps = request.steps.value_or(20);
  profile.rows = {{.stage = "denoise", .op = "linear", .flops = 1e9 * profile.steps, .bytes = 1e6},
                  {.stage = "decode", .op = "conv2d", .flops = 5e8, .bytes = 1e6}};
  return profile;
}

Profile Engine::profile(const GenerateRequest& request) {
  Profile profile = count(request);
  profile.ceilings = {.copy_bytes_per_second = 1e10, .bf16_flops_per_second = 4e12};
  profile.rows[0].seconds = 0.001 * profile.steps;
  profile.rows[0].numbers = "bf16";
  return profile;
}

GenerateResult Engine::generate(const GenerateRequest& request, const GenerateHooks& hooks) {
  GenerateResult result;
  result.used = used_settings(request);
  const std::string& name = impl_->info.name;
  if (request.prompt == "crash") std::abort();
  if (request.prompt == "lose the device") throw Error(Code::kDevice, "the device is gone");
  if (request.prompt == "not finite") {
    throw Error(Code::kUnsupported,
                "denoising, step 3, block: expected finite values, found NaN or infinity");
  }
  if (request.prompt == "too large") throw Error(Code::kOutOfMemory, "memory: 9 MiB are missing");
  const auto pause = std::chrono::milliseconds(name == "slow" ? 50 : name == "stuck" ? 20000 : 0);
  if (name == "stuck") std::cerr << "now drawing" << std::endl;
  for (int step = 1; step <= result.used.steps; ++step) {
    std::this_thread::sleep_for(pause);
    const Progress progress{Stage::kDenoise, step, result.used.steps, 0.05 * step};
    if (hooks.progress && !hooks.progress(progress)) throw Error(Code::kCancelled, "interrupted");
    if (hooks.dump && request.dump_steps) {
      hooks.dump("latents." + std::to_string(step - 1), array_of({request.batch, 16, 8, 8}, step));
    }
  }
  const std::uint64_t hash = fingerprint(request, result.used);
  result.pictures.reserve(static_cast<std::size_t>(request.batch));
  for (int i = 0; i < request.batch; ++i) {
    const std::uint64_t seed = result.used.seed + static_cast<std::uint64_t>(i);
    result.pictures.push_back(picture_of(hash, result.used, seed));
    if (hooks.picture) hooks.picture(result.pictures.back(), result.used);
  }
  if (hooks.dump) {
    hooks.dump("image", array_of({request.batch, 3, result.used.height, result.used.width}, 0.5));
    hooks.dump("noise", request.noise ? *request.noise : array_of({request.batch, 16, 8, 8}, 1));
  }
  result.activation_peak_bytes = 123456;
  result.seconds.denoise = 0.001 * result.used.steps;
  if (impl_->info.name == "wordy") result.warnings = {"prompt: 90 tokens, the last 13 are ignored"};
  return result;
}

namespace {

/// One whole request per step.
class StubBatch final : public Batch {
 public:
  explicit StubBatch(Engine& engine) : engine_(engine) {}
  Id join(GenerateRequest request, BatchHooks hooks) override {
    if (request.prompt == "never fits") {
      throw Error(Code::kOutOfMemory,
                  "memory: this request needs 9000 MiB of activations, there are 10 MiB");
    }
    waiting_.emplace_back(std::move(request), std::move(hooks));
    return waiting_.size();
  }
  bool step() override {
    const auto [request, hooks] = std::move(waiting_.front());
    waiting_.pop_front();
    const auto progress = [this, &h = hooks](const Progress& p) {
      const bool go_on = !h.progress || h.progress(p);
      if (std::exchange(asked_, false) && h.preview) {
        h.preview(
            {p.step, p.steps, {{.width = 8, .height = 8, .rgb = std::vector<std::uint8_t>(192)}}});
      }
      return go_on;
    };
    try {
      hooks.done(engine_.generate(request, {.progress = progress, .dump = {}, .picture = {}}));
    } catch (const Error& error) {
      if (error.code() == Code::kDevice) throw;
      hooks.failed(error);
    }
    return !waiting_.empty();
  }
  void cancel(Id) override {}
  void ask_preview(Id) override { asked_ = true; }
  [[nodiscard]] bool idle() const override { return waiting_.empty(); }
  [[nodiscard]] BatchLoad load() const override {
    return {.activation_bytes = 1000, .prompt_bytes = 10, .prompt_hits = 2, .prompt_misses = 5};
  }

 private:
  Engine& engine_;
  std::deque<std::pair<GenerateRequest, BatchHooks>> waiting_;
  bool asked_ = false;
};

}  // namespace

std::unique_ptr<Batch> Engine::start_batch(const BatchOptions&) {
  return std::make_unique<StubBatch>(*this);
}

ModelInspection inspect_model(const EngineOptions& options) {
  ModelInspection i;
  i.model = Engine(options).model();
  i.model.components[0].dtypes = {{.dtype = "F8_E4M3", .bytes = 3000000000}};
  i.model.components[0].scales = "per row (3 weights)";
  i.model.components[0].lowest_scale = 0.5F;
  i.model.components[0].highest_scale = 2;
  i.layout = "diffusers folder";
  i.memory = {{.side = 512, .device = "cpu", .activations = 1, .none = 4, .text = 3, .all = 2},
              {.side = 1024, .device = "cpu", .problem = "width: too large"}};
  i.request = {{.device = "cpu", .activations = 1, .none = 400000000}};
  if (options.model == "other") i.problems = {"vae: \xff damaged", "tokenizer: missing"};
  return i;
}

std::string lock_model(const EngineOptions& options, const ByteHook& hook) {
  fail_to_load(options.model);
  for (std::uint64_t i = 1; options.model == "slow" && i <= 2000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (hook && !hook(i * 10000000, 20000000000)) throw Error(Code::kCancelled, "interrupted");
  }
  return "lock of " + options.model + " " + options.variant.value_or("(none)") + "\n";
}

LockReport verify_lock(const EngineOptions& options, bool every_byte, const ByteHook& hook) {
  (void)lock_model(options, hook);
  LockReport report{.differences = {}, .files = 3, .bytes = every_byte ? 2000000000U : 10U};
  if (options.model == "other") {
    report.differences = {"file a: size: locked 1, found 2", "variant: locked fp8, found \xff"};
  }
  return report;
}

std::vector<std::string> builtin_models() { return {"emoji"}; }

}  // namespace octet
