// The texts that repeat a picture.
#include "image/parameters.h"

#include <gtest/gtest.h>

#include <random>

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"
#include "octet/error.h"
#include "sample_image.h"

namespace octet {
namespace {

PictureParameters everything() {
  PictureParameters p;
  p.prompt = "a red apple";
  p.negative_prompt = "blurry, dark";
  p.steps = 20;
  p.sampler = "dpmpp_2m";
  p.schedule = "sgm_uniform";
  p.guidance = 4.5f;
  p.seed = 18446744073709551615u;
  p.size = PictureSize{256, 512};
  p.model = "emoji";
  p.model_hash = "0123abcd";
  p.variant = "fp16";
  p.loras = std::vector<std::string>{"a b.safetensors:0.5", "c,d:1"};
  p.shift = 3.0f;
  p.strength = 0.6;
  p.init_hash = "89ab";
  p.mask_hash = "cdef";
  p.skip_layers = std::vector{7, 8, 9};
  p.skip_scale = 2.8f;
  p.skip_start = 0.01f;
  p.skip_end = 0.2f;
  p.t5_length = 256;
  p.compat = "diffusers";
  p.compute = "w8a16";
  p.version = "0.1.0";
  return p;
}

TEST(Parameters, TextHasTheFamiliarForm) {
  EXPECT_EQ(parameters_to_text(everything()),
            "a red apple\nNegative prompt: blurry, dark\nSteps: 20, Sampler: DPM++ 2M, "
            "Schedule type: SGM Uniform, CFG scale: 4.5, Seed: 18446744073709551615, "
            "Size: 256x512, Model hash: 0123abcd, Model: emoji, Variant: fp16, "
            "Lora: \"a b.safetensors:0.5\\nc,d:1\", Shift: 3, "
            "Denoising strength: 0.6, Init image hash: 89ab, Mask hash: cdef, "
            "Skip layers: \"7,8,9\", Skip scale: 2.8, Skip start: 0.01, Skip end: 0.2, "
            "T5 length: 256, Compat: diffusers, Compute: w8a16, Octet version: 0.1.0");
}

TEST(Parameters, BothFormsComeBack) {
  EXPECT_EQ(parameters_from_text(parameters_to_text(everything())), everything());
  EXPECT_EQ(parameters_from_json(parameters_to_json(everything())), everything());
  PictureParameters plain;
  plain.prompt = "only a prompt";
  EXPECT_EQ(parameters_from_text(parameters_to_text(plain)), plain);
  EXPECT_EQ(parameters_from_json(parameters_to_json(plain)), plain);
  EXPECT_EQ(parameters_from_text(""), PictureParameters{});
}

TEST(Parameters, ReadsWhatOtherProgramsWrite) {
  const PictureParameters p = parameters_from_text(
      "masterpiece, (cat:1.2)\nsecond line\nNegative prompt: bad\nworse\n"
      "Steps: 28, Sampler: Euler, Schedule type: Simple, CFG scale: 7, Seed: 5, Size: 640x480, "
      "Model hash: ff, Model: \"a, b: c\", Lora hashes: \"x: 1, y: 2\", Version: v1.10.1");
  EXPECT_EQ(p.prompt, "masterpiece, (cat:1.2)\nsecond line");
  EXPECT_EQ(p.negative_prompt, "bad\nworse");
  EXPECT_EQ(p.steps, 28);
  EXPECT_EQ(p.sampler, "euler");
  EXPECT_EQ(p.schedule, "simple");
  EXPECT_EQ(p.size, (PictureSize{640, 480}));
  EXPECT_EQ(p.model, "a, b: c");
  EXPECT_FALSE(p.version.has_value());
}

TEST(Parameters, APromptIsNotTakenForSettings) {
  for (const char* prompt :
       {"a cat: black, a dog: white", "Steps", "x, y, z", "a: \"b", "ratio 3:4"}) {
    EXPECT_EQ(parameters_from_text(prompt).prompt, prompt);
    EXPECT_FALSE(parameters_from_text(prompt).steps.has_value());
  }
}

std::string random_text(std::mt19937& engine) {
  constexpr std::string_view kPieces[] = {"a",
                                          "b",
                                          " ",
                                          ",",
                                          ":",
                                          "\"",
                                          "\\",
                                          "\n",
                                          "\r",
                                          "\t",
                                          "Steps: 3",
                                          "Negative prompt:",
                                          "\x01",
                                          "\xc3\xa9",
                                          "\xf0\x9f\x8d\x8e",
                                          "Seed: 1, Size: 2x2, Model: x",
                                          "{",
                                          "}",
                                          "\\u0041",
                                          "#"};
  std::string text;
  for (std::size_t i = engine() % 12; i > 0; --i) text += kPieces[engine() % std::size(kPieces)];
  return text;
}

template <typename T, typename F>
void maybe(std::mt19937& engine, std::optional<T>& field, F value) {
  if (engine() % 2 == 0) field = value();
}

PictureParameters random_parameters(std::mt19937& engine) {
  PictureParameters p;
  const auto text = [&] { return random_text(engine); };
  const auto fraction = [&] { return static_cast<float>(engine()) * 0x1.1p-30f; };
  p.prompt = text();
  p.negative_prompt = text();
  maybe(engine, p.steps, [&] { return static_cast<int>(engine() % 1000); });
  maybe(engine, p.sampler, text);
  maybe(engine, p.schedule, [&] { return std::string("normal"); });
  maybe(engine, p.guidance, fraction);
  maybe(engine, p.seed, [&] { return std::uint64_t{engine()} << 32 | engine(); });
  maybe(engine, p.size, [&] { return PictureSize{static_cast<int>(engine() % 5000), 16}; });
  maybe(engine, p.model, text);
  maybe(engine, p.shift, fraction);
  maybe(engine, p.skip_layers, [&] { return std::vector{static_cast<int>(engine() % 40), 3}; });
  maybe(engine, p.compute, text);
  return p;
}

TEST(Parameters, AnyPictureRoundTripsThroughItsPng) {
  std::mt19937 engine(11);
  for (int round = 0; round < 2000; ++round) {
    const PictureParameters p = random_parameters(engine);
    const auto png = encode(sample_image(2, 2), ImageFormat::kPng, {.texts = picture_texts(p)});
    EXPECT_EQ(read_picture_parameters(png, "x.png"), p) << parameters_to_json(p);
  }
}

// Without lines that look like settings the text alone is enough, whatever the values are.
TEST(Parameters, TextAloneRoundTripsAnyValue) {
  std::mt19937 engine(12);
  for (int round = 0; round < 2000; ++round) {
    PictureParameters p = random_parameters(engine);
    p.prompt = "a, b: c\n\"quoted\" \xc3\xa9";
    p.negative_prompt = round % 2 == 0 ? "" : "x, y\nz";
    p.steps = 5;
    EXPECT_EQ(parameters_from_text(parameters_to_text(p)), p) << parameters_to_text(p);
  }
}

TEST(Parameters, BadValuesAreNamed) {
  for (const char* line :
       {"Steps: abc, Seed: 1, Size: 1x1", "Steps: 1, Seed: -1", "Steps: 1, Size: 256",
        "Steps: 1, CFG scale: nan", "Steps: 99999999999", "Steps: 1, Skip layers: 7;8",
        "Steps: 1, Skip layers: ,", "Steps: 1, Seed: 18446744073709551616", "Steps: 1 2"}) {
    try {
      (void)parameters_from_text(std::string("prompt\n") + line);
      ADD_FAILURE() << line;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kCorruptFile);
      EXPECT_EQ(std::string(e.what()).rfind("picture parameters: ", 0), 0u) << e.what();
    }
  }
}

TEST(Parameters, EverySamplerAndScheduleHasAName) {
  for (const SamplerEntry& s : samplers()) {
    EXPECT_NE(display_name(s.name), s.name);
    EXPECT_EQ(internal_name(display_name(s.name)), s.name);
  }
  for (const ScheduleEntry& s : schedules()) {
    EXPECT_NE(display_name(s.name), s.name);
    EXPECT_EQ(internal_name(display_name(s.name)), s.name);
  }
}

TEST(Parameters, PngWithoutTextsHasNone) {
  EXPECT_FALSE(
      read_picture_parameters(encode(sample_image(2, 2), ImageFormat::kPng), "x").has_value());
}

}  // namespace
}  // namespace octet
