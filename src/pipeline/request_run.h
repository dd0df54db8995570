// One request of a running batch: what is known of it beforehand, its memory, its stages.
//
// Its tensors lie in an arena of its own from the first stage to the last, so they stay where they
// are while other requests come and go; scratch comes from the Ctx of each call.
//
// Thread-safety: one thread. Errors: as in pipeline/generate.h.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/denoiser.h"
#include "pipeline/models.h"
#include "pipeline/preview.h"
#include "pipeline/prompt_cache.h"
#include "pipeline/start_latents.h"

namespace octet {

/// A request as it is before any work: checked, with defaults filled in, tokenised.
struct PreparedRequest {
  GenerateRequest request;
  UsedSettings settings;
  std::vector<PromptTokens> tokens;  // of the prompt, and of the negative one if it is used
  Guidance guidance;
  Row row;  // before its first step; of each of its pictures
  std::vector<std::string> warnings;
};
[[nodiscard]] PreparedRequest prepare_request(const Models& models, GenerateRequest request);

/// Prompts, each once, with the name of the field that they stand in.
using Prompts = std::map<PromptKey, std::pair<const PromptTokens*, const char*>>;
/// Those of these requests, which stay the caller's, that are not in the cache.
[[nodiscard]] Prompts missing_prompts(std::span<const PreparedRequest* const> requests,
                                      PromptCache& cache);
/// Encodes them, as many at once as are of equal lengths, and puts them there (unless it is null).
void encode_ahead(Ctx ctx, const Models& models, Prompts prompts, PromptCache* cache);

class RequestRun {
 public:
  /// `keep` holds everything of the request; nothing is computed yet. `prepared` stays the
  /// caller's.
  RequestRun(const PreparedRequest& prepared, const Models& models, Backend& backend, Arena keep);

  /// Encodes the picture that it begins with, if it has one.
  void encode_init(Ctx ctx);
  /// Encodes the prompts, or takes them out of the cache (which may be null).
  void encode(Ctx ctx, PromptCache* cache);
  /// The modulation vectors of all steps.
  void modulate(Ctx ctx);
  /// Writes what the first step begins with.
  void begin(Ctx ctx) const;
  /// One per picture; their tensors belong to this object.
  [[nodiscard]] std::span<Track> tracks() { return tracks_; }
  [[nodiscard]] std::span<const Track> tracks() const { return tracks_; }
  /// Whether the coming steps shall leave what previews are made of.
  void want_estimates(bool wanted);
  /// One preview per picture, of the last step; waits for it.
  [[nodiscard]] std::vector<Picture> previews(Ctx ctx, const PreviewProjection& projection) const;
  /// Error(kUnsupported) when the latents are not finite, naming the step and the block: the steps
  /// are done once more for that, in this object's memory.
  void check(Ctx ctx);
  [[nodiscard]] Picture decode(Ctx ctx, std::size_t picture) const;

  /// What it was given to keep things in; it is over then.
  [[nodiscard]] Buffer release() { return keep_.release(); }
  /// Bytes of `keep` that it needs.
  [[nodiscard]] std::size_t memory() const { return keep_.peak(); }

 private:
  void repeat_steps(Ctx ctx, std::string& stage);

  const PreparedRequest& prepared_;
  const Models& m_;
  Arena keep_;
  std::vector<EncodedPrompt> prompts_;
  std::vector<Conditioning> conditioning_;  // of each prompt
  StartLatents start_;
  Tensor estimates_;                       // like its latents
  std::optional<EncodedPicture> encoded_;  // the init picture
  std::vector<Track> tracks_;
};

/// Scratch of the largest stage of a request that is alone. `run` lies in memory of `null`.
[[nodiscard]] std::size_t plan_alone(const Models& models, Backend& null, RequestRun& run);
/// Scratch of one step of these tracks, in memory of `null`.
[[nodiscard]] std::size_t plan_step(const Models& models, Backend& null, std::vector<Track> tracks);

}  // namespace octet
