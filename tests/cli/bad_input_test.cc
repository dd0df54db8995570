// Every bad input: the right exit code, one line on standard error that names the flag, what was
// expected and what was found, nothing on standard output, nothing written.

#include <gtest/gtest.h>

#include <algorithm>

#include "process.h"

namespace octet::test {
namespace {

struct BadInput {
  std::string name;
  std::vector<std::string> arguments;
  int exit_code;
  std::vector<std::string> said;  // parts of the message
  std::string input = {};
};

void PrintTo(const BadInput& bad, std::ostream* out) { *out << bad.name; }

std::vector<std::string> drawing(std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"generate", "a red apple"});
  return flags;
}

std::vector<BadInput> usage_errors() {
  const std::string steps = "--steps: expected an integer from 1 to 1000, found ";
  const std::string width = "--width: expected an integer that is a multiple of 16 from 16 to ";
  return {
      {"no_command", {}, 2, {"expected a command", "octet --help"}},
      {"unknown_command", {"genrate"}, 2, {"'genrate'", "did you mean generate?"}},
      {"prompt_as_command", {"a red apple"}, 2, {"octet generate \"a red apple\""}},
      {"unknown_program_flag", {"--verison"}, 2, {"unknown flag '--verison'"}},
      {"unknown_flag", drawing({"--stpes", "4"}), 2, {"--stpes", "did you mean --steps?"}},
      {"abbreviated_flag", drawing({"--guid", "4"}), 2, {"--guid", "did you mean --guidance?"}},
      {"unknown_flag_value", drawing({"--foo=1"}), 2, {"unknown flag --foo"}},
      {"unknown_letter", drawing({"-x"}), 2, {"unknown flag -x"}},
      {"missing_value", drawing({"--steps"}), 2, {"--steps: expected N after it"}},
      {"switch_with_value", drawing({"--json=yes"}), 2, {"--json: expected no value"}},
      {"flag_twice", drawing({"--seed", "1", "--seed", "1"}), 2, {"--seed: expected once"}},
      {"lora_weight",
       drawing({"--lora", "a.safetensors:0,5"}),
       2,
       {"--lora: expected FILE or FILE"}},
      {"lora_nan", drawing({"--lora", "a.safetensors:nan"}), 2, {"--lora: expected FILE or FILE"}},
      {"lora_no_weight", drawing({"--lora", "a.safetensors:"}), 2, {"--lora: expected FILE or"}},
      {"lora_no_file", drawing({"--lora", ":1"}), 2, {"--lora: expected FILE or FILE:WEIGHT"}},
      {"no_prompt", {"generate"}, 2, {"PROMPT: expected what to draw"}},
      {"two_prompts", {"generate", "a", "red", "apple"}, 2, {"found 3 words", "quotes"}},
      {"steps_0", drawing({"--steps", "0"}), 2, {steps + "'0'"}},
      {"steps_word", drawing({"--steps", "abc"}), 2, {steps + "'abc'"}},
      {"steps_1e9", drawing({"--steps", "1e9"}), 2, {steps + "'1e9'"}},
      {"steps_huge", drawing({"--steps", "99999999999999999999"}), 2, {steps}},
      {"steps_above", drawing({"--steps=1001"}), 2, {steps + "'1001'"}},
      {"steps_fraction", drawing({"--steps", "1.5"}), 2, {steps + "'1.5'"}},
      {"steps_trailing", drawing({"--steps", "20x"}), 2, {steps + "'20x'"}},
      {"steps_space", drawing({"--steps", " 20"}), 2, {steps + "' 20'"}},
      {"steps_empty", drawing({"--steps", ""}), 2, {steps + "''"}},
      {"steps_equals_empty", drawing({"--steps=", "20"}), 2, {steps + "''"}},
      {"steps_negative", drawing({"--steps", "-4"}), 2, {steps + "'-4'"}},
      {"steps_control", drawing({"--steps", "1\n2\x1b[31m"}), 2, {"'1?2?[31m'"}},
      {"width_17", drawing({"--width", "17"}), 2, {width, "found '17'"}},
      {"width_0", drawing({"--width", "0"}), 2, {width}},
      {"width_negative", drawing({"--width", "-16"}), 2, {width}},
      {"height_8", drawing({"--height", "8"}), 2, {"--height: ", "found '8'"}},
      {"height_huge", drawing({"--height", "1048576"}), 2, {"--height: "}},
      {"guidance_nan", drawing({"--guidance", "nan"}), 2, {"--guidance: expected a number from 0"}},
      {"guidance_inf", drawing({"--guidance", "inf"}), 2, {"--guidance: "}},
      {"guidance_1e99", drawing({"--guidance", "1e99"}), 2, {"--guidance: "}},
      {"guidance_101", drawing({"--guidance", "101"}), 2, {"to 100, found '101'"}},
      {"guidance_negative", drawing({"--guidance", "-1"}), 2, {"--guidance: "}},
      {"guidance_comma", drawing({"--guidance", "4,5"}), 2, {"--guidance: "}},
      {"shift_0", drawing({"--shift", "0"}), 2, {"--shift: ", "found '0'"}},
      {"seed_negative", drawing({"--seed", "-1"}), 2, {"--seed: ", "18446744073709551615"}},
      {"seed_2_64", drawing({"--seed", "18446744073709551616"}), 2, {"--seed: "}},
      {"batch_0", drawing({"--batch", "0"}), 2, {"--batch: expected an integer from 1 to 64"}},
      {"batch_65", drawing({"--batch", "65"}), 2, {"--batch: "}},
      {"threads_0", drawing({"--threads", "0"}), 2, {"--threads: expected an integer from 1"}},
      {"threads_1025", drawing({"--threads", "1025"}), 2, {"--threads: "}},
      {"sampler", drawing({"--sampler", "eulr"}), 2, {"--sampler: ", "did you mean euler?"}},
      {"schedule", drawing({"--schedule", "x"}), 2, {"--schedule: expected one of "}},
      {"compat", drawing({"--compat", "Diffusers"}), 2, {"diffusers, comfyui, reference"}},
      {"compute", drawing({"--compute", "f16"}), 2, {"auto, f32, bf16, w8a16, fp8"}},
      {"device", drawing({"--device", "gpu"}), 2, {"--device: expected auto, cpu, cuda or"}},
      {"device_index", drawing({"--device", "cuda:1x"}), 2, {"--device: ", "'cuda:1x'"}},
      {"device_no_index", drawing({"--device", "cuda:"}), 2, {"--device: "}},
      {"skip_layers", drawing({"--skip-layers", "7,,9"}), 2, {"--skip-layers: ", "'7,,9'"}},
      {"skip_layers_end", drawing({"--skip-layers", "7,"}), 2, {"--skip-layers: "}},
      {"skip_layers_negative", drawing({"--skip-layers", "-7"}), 2, {"--skip-layers: "}},
      {"skip_end", drawing({"--skip-end", "1.5"}), 2, {"--skip-end: ", "from 0 to 1"}},
      {"skip_alone", drawing({"--skip-scale", "3"}), 2, {"--skip-scale: expected --skip-layers"}},
      {"skip_order",
       drawing({"--skip-layers", "1", "--skip-start", "0.5"}),
       2,
       {"--skip-start: expected at most --skip-end"}},
      {"t5_length", drawing({"--t5-length", "513"}), 2, {"--t5-length: "}},
      {"model_empty", drawing({"--model", ""}), 2, {"--model: "}},
      {"variant_empty", drawing({"--variant", ""}), 2, {"--variant: "}},
      {"version_flag", {"version", "--jsn"}, 2, {"--jsn", "did you mean --json?"}},
      {"health_address",
       {"health", "--address", "localhost:1"},
       2,
       {"--address: ", "'localhost:1'"}},
      {"health_port", {"health", "--address", "127.0.0.1:0"}, 2, {"--address: "}},
      {"health_nobody", {"health", "--address", "127.0.0.1:1"}, 6, {"health: ", "refused"}},
      {"version_word", {"version", "now"}, 2, {"found 'now'"}},
  };
}

std::vector<BadInput> prompt_errors() {
  const std::string megabytes(std::size_t{1200} << 10, 'a');
  return {
      {"prompt_invalid_utf8",
       {"generate", "caf\xe9 au lait"},
       2,
       {"PROMPT: expected UTF-8, found byte 0xe9 at offset 3"}},
      {"prompt_overlong_utf8", {"generate", "\xc0\xaf"}, 2, {"offset 0"}},
      {"prompt_surrogate", {"generate", "a\xed\xa0\x80"}, 2, {"offset 1"}},
      {"negative_invalid_utf8", drawing({"--negative", "\xff"}), 2, {"--negative: expected UTF-8"}},
      {"stdin_too_long", {"generate", "-"}, 2, {"PROMPT: expected at most 1048576"}, megabytes},
      {"stdin_nul", {"generate", "-"}, 2, {"NUL byte at offset 1"}, std::string("a\0b", 3)},
      {"stdin_invalid_utf8", {"generate", "-"}, 2, {"offset 2"}, "ab\x80"},
  };
}

std::vector<BadInput> output_errors() {
  return {
      {"output_suffix", drawing({"-o", "a.gif"}), 2, {".png, .jpg, .jpeg, .webp", "'a.gif'"}},
      {"output_no_suffix", drawing({"-o", "apple"}), 2, {"found 'apple'"}},
      {"output_folder", drawing({"-o", "x.png/"}), 2, {"'x.png/'"}},
      {"output_empty", drawing({"-o", ""}), 2, {"--output: "}},
      {"output_twice", drawing({"-o", "%d-%d.png"}), 2, {"at most one %d"}},
      {"output_missing_folder", drawing({"-o", "none/a.png"}), 5, {"none/a.png", "No such file"}},
      {"output_long_name", drawing({"-o", std::string(300, 'a') + ".png"}), 5, {"too long"}},
      {"output_unwritable", drawing({"-o", "/proc/a.png"}), 5, {"-o: ", "/proc/a.png"}},
      {"stdout_and_json", drawing({"-o", "-", "--json"}), 2, {"-o -", "--json"}},
      {"stdout_and_batch", drawing({"-o", "-", "--batch", "2"}), 2, {"--batch 2"}},
      {"dump_missing_folder", drawing({"--dump", "none/a"}), 5, {"--dump: ", "none/a"}},
      {"dump_stdout", drawing({"--dump", "-"}), 2, {"--dump: "}},
      {"dump_steps_alone", drawing({"--dump-steps"}), 2, {"--dump-steps: expected --dump"}},
      {"dump_is_output", drawing({"--dump", "a.png", "-o", "a.png"}), 2, {"--dump: "}},
      {"noise_missing", drawing({"--noise", "none.safetensors"}), 5, {"--noise: ", "none."}},
      {"noise_is_folder", drawing({"--noise", "/"}), 5, {"--noise: "}},
      {"noise_garbage", drawing({"--noise", "/proc/self/status"}), 2, {"--noise: "}},
      {"like_missing", {"generate", "--like", "none.png"}, 5, {"none.png"}},
      {"like_garbage", {"generate", "--like", "/proc/self/exe"}, 2, {"--like: "}},
  };
}

std::vector<BadInput> init_errors() {
  const std::string inputs = std::string(OCTET_TEST_DATA) + "/fuzz/seeds/decode/";
  const auto from = [&](const std::string& file, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--init", inputs + file});
    return drawing(more);
  };
  const std::string strength = "--strength: expected a number above 0 and at most 1, found ";
  return {
      {"init_missing", drawing({"--init", "none.png"}), 5, {"--init: ", "none.png"}},
      {"init_empty", drawing({"--init", ""}), 2, {"--init: expected the name of a picture"}},
      {"init_folder", drawing({"--init", "/"}), 5, {"--init: "}},
      {"init_garbage",
       drawing({"--init", "/bin/sh"}),
       2,
       {"--init: /bin/sh: expected a PNG, JPEG or WebP picture"}},
      {"init_cmyk", from("cmyk.jpg"), 2, {"--init: ", "found CMYK"}},
      {"init_moving", from("moving.webp"), 2, {"--init: ", "found an animation"}},
      {"strength_0", from("rgb.png", {"--strength", "0"}), 2, {strength + "'0'"}},
      {"strength_above", from("rgb.png", {"--strength", "1.01"}), 2, {strength + "'1.01'"}},
      {"strength_nan", from("rgb.png", {"--strength", "nan"}), 2, {strength + "'nan'"}},
      {"strength_alone", drawing({"--strength", "1"}), 2, {"--strength: expected --init FILE"}},
      {"mask_alone", drawing({"--mask", "a.png"}), 2, {"--mask: expected --init FILE as well"}},
      {"mask_missing", from("rgb.png", {"--mask", "none.png"}), 5, {"--mask: ", "none.png"}},
      {"mask_transparent",
       from("rgb.png", {"--mask", inputs + "rgba.png"}),
       2,
       {"--mask: expected an opaque picture, white where to draw", "found transparency in "}},
  };
}

std::vector<BadInput> engine_errors() {
  return {
      {"model_missing", drawing({"--model", "missing"}), 5, {"--model: ", "'missing'"}},
      {"model_corrupt", drawing({"--model", "corrupt"}), 3, {"truncated?header"}},
      {"variant_absent", drawing({"--variant", "fp16"}), 3, {"--variant: expected fp8"}},
      {"out_of_memory", drawing({"--model", "huge"}), 4, {"not enough memory"}},
      {"bug", drawing({"--model", "broken"}), 1, {"internal: no idea"}},
  };
}

std::vector<BadInput> all_errors() {
  std::vector<BadInput> all;
  for (const auto& part :
       {usage_errors(), prompt_errors(), output_errors(), init_errors(), engine_errors()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

class BadInputTest : public testing::TestWithParam<BadInput> {};

TEST_P(BadInputTest, IsRefusedInOneLineAndWritesNothing) {
  const BadInput& bad = GetParam();
  const TempFolder folder;
  const ProcessResult result =
      run_process(OCTET_WITH_STUB, bad.arguments, {.folder = folder.path(), .input = bad.input});
  EXPECT_EQ(result.exit_code, bad.exit_code) << result.err;
  EXPECT_TRUE(result.err.starts_with("octet: error: ")) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.ends_with('\n')) << result.err;
  for (const std::string& part : bad.said) {
    EXPECT_NE(result.err.find(part), std::string::npos) << "no '" << part << "' in " << result.err;
  }
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(folder.files(), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(All, BadInputTest, testing::ValuesIn(all_errors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace octet::test
