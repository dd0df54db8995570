#include "bench_clients.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <list>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/stopwatch.h"
#include "image/image.h"
#include "interrupt.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr double kPreviewInterval = 0.5;  // seconds

// The how-manieth picture of all: its own prompt and seed.
GenerateRequest request_of(const BenchOptions& options, int picture) {
  GenerateRequest request = options.request;
  request.prompt += format(", number %d", picture);
  request.seed = options.request.seed.value_or(1) + static_cast<std::uint64_t>(picture);
  return request;
}

using Pictures = std::vector<Picture>;

void encode_png(const Picture& p, int threads) {
  (void)encode({.width = p.width, .height = p.height, .rgb = p.rgb}, ImageFormat::kPng,
               {.threads = threads});
}

struct Together {
  Pictures pictures;
  double seconds = 0;
  double longest_step = 0;
  int previews = 0;
};

/// Clients that keep a batch full.
class Crowd {
 public:
  Crowd(Engine& engine, const BenchOptions& options)
      : options_(options), batch_(engine.start_batch({.max_pictures = options.clients})) {}

  /// Draws `count` pictures, numbered from `first`.
  Together run(int first, int count, bool previews) {
    result_ = {};
    result_.pictures.assign(static_cast<std::size_t>(count), {});
    first_ = first;
    joined_ = 0;
    ids_.clear();
    const Stopwatch all;
    for (int client = 0; client < options_.clients; ++client) join_next();
    Stopwatch since;
    while (serve_clients()) {
      const Stopwatch step;
      if (previews && since.seconds() >= kPreviewInterval) {
        since = {};
        for (const Batch::Id id : ids_) batch_->ask_preview(id);
      }
      batch_->step();
      result_.longest_step = std::max(result_.longest_step, step.seconds());
    }
    result_.seconds = all.seconds();
    return std::move(result_);
  }

 private:
  // Whoever has the bytes of a PNG asks for the next picture. False when all are served.
  bool serve_clients() {
    for (auto encoded = encoding_.begin(); encoded != encoding_.end();) {
      using namespace std::chrono_literals;
      if (!batch_->idle() && encoded->wait_for(0s) != std::future_status::ready) {
        ++encoded;
        continue;
      }
      encoded->get();
      encoded = encoding_.erase(encoded);
      join_next();
    }
    return !batch_->idle() || !encoding_.empty();
  }

  void join_next() {
    const auto place = static_cast<std::size_t>(joined_);
    if (place >= result_.pictures.size()) return;
    BatchHooks hooks;
    hooks.progress = [](const Progress&) { return !interrupted(); };
    hooks.preview = [this](const Preview&) { ++result_.previews; };
    hooks.done = [this, place](GenerateResult r) {
      Picture& picture = result_.pictures[place] = std::move(r.pictures.front());
      encoding_.push_back(std::async(
          std::launch::async, [this, &picture] { encode_png(picture, options_.engine.threads); }));
    };
    hooks.failed = [](const Error& error) { throw error; };
    ids_.push_back(batch_->join(request_of(options_, first_ + joined_++), std::move(hooks)));
  }

  const BenchOptions& options_;
  std::unique_ptr<Batch> batch_;
  int first_ = 0, joined_ = 0;
  std::vector<Batch::Id> ids_;
  Together result_;
  std::list<std::future<void>> encoding_;  // reads from result_
};

double psnr(const Picture& a, const Picture& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) sum += std::pow(a.rgb[i] - b.rgb[i], 2);
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / sum);
}

// Seconds for `count` pictures, numbered from `first`.
double draw_alone(Engine& engine, const BenchOptions& options, int first, int count,
                  Pictures& drawn) {
  const GenerateHooks hooks{
      .progress = [](const Progress&) { return !interrupted(); }, .dump = {}, .picture = {}};
  drawn.clear();
  const Stopwatch all;
  for (int i = first; i < first + count; ++i) {
    drawn.push_back(std::move(engine.generate(request_of(options, i), hooks).pictures.front()));
    encode_png(drawn.back(), options.engine.threads);
  }
  return all.seconds();
}

}  // namespace

ClientsReport measure_clients(Engine& engine, const BenchOptions& options) {
  ClientsReport report{.clients = options.clients, .pictures = options.clients * options.rounds};
  const auto say = [&](const char* what, double seconds) {
    if (!options.json) print_line(format("%s: %.3f s", what, seconds));
  };
  Crowd crowd(engine, options);
  Pictures alone;
  int number = 0;  // no prompt comes twice in the batch, whose memory it would be in
  for (int i = 0; i < options.warmup; ++i) {
    say("warm-up, alone", draw_alone(engine, options, 0, 1, alone));
    say("warm-up, together", crowd.run(number, options.clients, true).seconds);
    number += options.clients;
  }
  report.alone = draw_alone(engine, options, number, report.pictures, alone);
  say("one after the other", report.alone);
  const Together plain = crowd.run(number, report.pictures, false);
  say("together", plain.seconds);
  report.together = plain.seconds;
  report.longest_step = plain.longest_step;
  report.psnr = INFINITY;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    report.psnr = std::min(report.psnr, psnr(alone[i], plain.pictures[i]));
  }
  const Together shown = crowd.run(number + report.pictures, report.pictures, true);
  say("together, with previews", shown.seconds);
  report.with_previews = shown.seconds;
  report.previews = shown.previews;
  return report;
}

std::string clients_text(const ClientsReport& r) {
  return format(
      "%d clients, %d pictures: one after the other %.3f s, together %.3f s (%.2f times as fast, "
      "longest step %.3f s)\n"
      "  lowest PSNR of a picture of the batch against the one alone: %.1f dB\n"
      "  with %d previews: %.3f s (%+.2f %%)\n",
      r.clients, r.pictures, r.alone, r.together, r.alone / r.together, r.longest_step, r.psnr,
      r.previews, r.with_previews, 100 * (r.with_previews / r.together - 1));
}

std::string clients_json(const ClientsReport& r) {
  using Json = nlohmann::ordered_json;
  const Json json = {{"clients", r.clients},
                     {"pictures", r.pictures},
                     {"alone_seconds", r.alone},
                     {"together_seconds", r.together},
                     {"speedup", r.alone / r.together},
                     {"longest_step_seconds", r.longest_step},
                     {"equal", std::isinf(r.psnr)},
                     {"lowest_psnr", std::isinf(r.psnr) ? Json() : Json(r.psnr)},
                     {"previews", r.previews},
                     {"with_previews_seconds", r.with_previews}};
  return json.dump(2) + "\n";
}

}  // namespace octet::cli
