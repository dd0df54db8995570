#include "api/model_json.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

namespace octet::api {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(int width, int height) { return format("%dx%d", width, height); }

template <class Entries>
Json names_of(const Entries& entries) {
  Json names = Json::array();
  for (const auto& entry : entries) names.push_back(entry.name);
  return names;
}

/// The multiple of the card's step next to `side`, within its limits.
int side_near(double side, const serve::ModelCard& card) {
  const int steps = static_cast<int>(std::lround(side / card.side_multiple));
  return std::clamp(steps, 1, card.longest_side / card.side_multiple) * card.side_multiple;
}

Json card_json(const serve::ModelCard& card) {
  Json sizes = Json::array();
  for (const auto& [width, height] : usual_sizes(card)) sizes.push_back(text_of(width, height));
  return {{"size", text_of(card.width, card.height)},
          {"num_inference_steps", card.steps},
          // The shortest text that names the number: 4.5, not 4.5000001.
          {"guidance_scale", std::stod(format("%.6g", static_cast<double>(card.guidance)))},
          {"sampler", card.sampler},
          {"scheduler", card.schedule},
          {"sizes", sizes},
          {"side_multiple", card.side_multiple},
          {"longest_side", card.longest_side},
          {"samplers", names_of(samplers())},
          {"schedulers", names_of(schedules())},
          {"variant", card.variant},
          {"compute", card.compute},
          {"device", card.device},
          {"digest", card.digest}};
}

}  // namespace

std::vector<std::pair<int, int>> usual_sizes(const serve::ModelCard& card) {
  constexpr double kRatios[] = {9.0 / 16, 2.0 / 3, 3.0 / 4, 1, 4.0 / 3, 3.0 / 2, 16.0 / 9};
  std::vector<std::pair<int, int>> sizes = {{card.width, card.height}};
  const double area = static_cast<double>(card.width) * card.height;
  for (const double ratio : kRatios) {
    const std::pair<int, int> size = {side_near(std::sqrt(area * ratio), card),
                                      side_near(std::sqrt(area / ratio), card)};
    if (std::find(sizes.begin(), sizes.end(), size) == sizes.end()) sizes.push_back(size);
  }
  std::sort(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) {
    return static_cast<std::int64_t>(a.first) * b.second <
           static_cast<std::int64_t>(b.first) * a.second;
  });
  return sizes;
}

Json model_json(const Service& service, const std::string& name) {
  Json json = {{"id", name},
               {"object", "model"},
               {"created", service.started},
               {"owned_by", "octet"},
               {"octet", nullptr}};
  for (const serve::ModelCard& card : service.status().models) {
    if (card.name == name) json["octet"] = card_json(card);
  }
  return json;
}

}  // namespace octet::api
