#include "api/a1111_fields.h"

namespace octet::api {
namespace {

constexpr std::size_t kPromptBytes = 32 << 10;

void add_picture_fields(Txt2Img& t, std::vector<Field>& fields) {
  constexpr double kAnySide = 16384;
  fields.push_back({.name = "prompt",
                    .help = "What to draw.",
                    .target = &t.request.prompt,
                    .max_bytes = kPromptBytes});
  fields.push_back({.name = "negative_prompt",
                    .help = "What the picture should not show.",
                    .target = &t.request.negative_prompt,
                    .max_bytes = kPromptBytes});
  fields.push_back({.name = "width",
                    .help = "Pixels; the nearest that the model can is taken.",
                    .target = &t.request.width,
                    .low = 1,
                    .high = kAnySide});
  fields.push_back({.name = "height",
                    .help = "Pixels; the nearest that the model can is taken.",
                    .target = &t.request.height,
                    .low = 1,
                    .high = kAnySide});
  fields.push_back({.name = "batch_size",
                    .help = "Pictures.",
                    .target = &t.request.batch,
                    .low = 1,
                    .high = 16});
  fields.push_back({.name = "n_iter",
                    .help = "So many times batch_size pictures, at most 16 in all.",
                    .target = &t.iterations,
                    .low = 1,
                    .high = 16});
  fields.push_back({.name = "seed",
                    .help = "Picks the noise; -1 draws one.",
                    .target = &t.seed,
                    .low = -1,
                    .high = 4294967295});
}

void add_sampling_fields(Txt2Img& t, std::vector<Field>& fields) {
  fields.push_back({.name = "steps",
                    .help = "Denoising steps.",
                    .target = &t.request.steps,
                    .low = 1,
                    .high = 1000});
  fields.push_back(
      {.name = "cfg_scale", .help = "Guidance.", .target = &t.cfg, .low = 0, .high = 100});
  fields.push_back({.name = "sampler_name", .help = "A name of /samplers.", .target = &t.sampler});
  fields.push_back(
      {.name = "sampler_index", .help = "Its older name.", .target = &t.sampler_index});
  fields.push_back({.name = "scheduler", .help = "A name of /schedulers.", .target = &t.scheduler});
}

}  // namespace

std::vector<Field> fields_of(Txt2Img& t) {
  std::vector<Field> fields;
  add_picture_fields(t, fields);
  add_sampling_fields(t, fields);
  t.settings = {{.name = "sd_model_checkpoint", .help = "A model's title.", .target = &t.model}};
  const std::vector<Field>* settings = &t.settings;
  fields.push_back({.name = "override_settings", .help = "For this request.", .target = settings});
  fields.push_back({.name = "send_images",
                    .help = "Whether the pictures are in the answer.",
                    .target = &t.send_images});
  // Nothing is ever stored, and no setting outlives its request.
  for (const char* name : {"save_images", "do_not_save_samples", "do_not_save_grid",
                           "override_settings_restore_afterwards"}) {
    fields.push_back({.name = name, .help = "Changes nothing here.", .target = Ignored()});
  }
  return fields;
}

std::vector<Field> fields_of(Img2Img& t) {
  std::vector<Field> fields = fields_of(static_cast<Txt2Img&>(t));
  fields.push_back({.name = "init_images",
                    .help = "The picture to begin with, in base64: one.",
                    .target = &t.pictures,
                    .max_bytes = kA1111PictureBytes,
                    .required = true});
  fields.push_back({.name = "mask",
                    .help = "A picture in base64: drawn anew where it is white or, if any of it is "
                            "transparent, where it is opaque.",
                    .target = &t.mask,
                    .max_bytes = kA1111PictureBytes});
  fields.push_back({.name = "denoising_strength",
                    .help = "How much of the picture changes; 0.75 if absent.",
                    .target = &t.strength,
                    .low = 0.01,
                    .high = 1});
  fields.push_back({.name = "resize_mode",
                    .help = "0 stretches the picture, 1 cuts it, 2 continues its edges; 3 is 0.",
                    .target = &t.resize_mode,
                    .low = 0,
                    .high = 3});
  fields.push_back({.name = "inpainting_fill",
                    .help = "What the masked part begins with: the picture (1), always.",
                    .target = &t.fill,
                    .low = 0,
                    .high = 3});
  fields.push_back({.name = "inpainting_mask_invert",
                    .help = "1 draws anew what the mask keeps.",
                    .target = &t.invert,
                    .low = 0,
                    .high = 1});
  fields.push_back({.name = "inpaint_full_res",
                    .help = "Only the masked part, enlarged: not done here.",
                    .target = &t.full_size});
  fields.push_back({.name = "include_init_images",
                    .help = "Changes nothing here: they are not sent back.",
                    .target = Ignored()});
  return fields;
}

}  // namespace octet::api
