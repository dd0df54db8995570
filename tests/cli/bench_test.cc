// `octet bench` on the engine without a model, and the arithmetic of its report.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench_report.h"
#include "gpu_monitor.h"
#include "process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

ProcessResult bench(std::vector<std::string> words) {
  words.insert(words.begin(), "bench");
  return run_process(OCTET_WITH_STUB, words);
}

TEST(BenchCommand, ReportsEveryBatch) {
  const ProcessResult r =
      bench({"--batch", "1,4", "--steps", "3", "--rounds", "5", "--ops", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const Json json = Json::parse(r.out);
  ASSERT_EQ(json["batches"].size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& b = json["batches"][i];
    EXPECT_EQ(b["batch"], i == 0 ? 1 : 4);
    EXPECT_EQ(b["steps"], 3);
    EXPECT_EQ(b["rounds"].size(), 5u);
    EXPECT_EQ(b["tflop_per_step"], 0.001);
    EXPECT_EQ(b["activation_bytes"], 123456);
    EXPECT_GT(b["images_per_second"], 0);
    EXPECT_GE(b["seconds"]["total"], b["seconds"]["encode"]);
  }
  EXPECT_EQ(json["ops"]["steps"], 2) << "the table is of two steps";
  EXPECT_EQ(json["ops"]["rows"][0]["part_of_ceiling"], 0.25) << "1 of 4 TFLOPS";
  EXPECT_FALSE(json.contains("gpu"));
}

TEST(BenchCommand, PrintsATable) {
  const ProcessResult r = bench({"--steps", "2", "--ops", "--rounds", "1"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  for (const char* part : {"batch 1, ", "ms per step", "images/s", "prompt to PNG", "linear"}) {
    EXPECT_NE(r.out.find(part), std::string::npos) << part << " in " << r.out;
  }
  EXPECT_NE(r.err.find("warm-up 1"), std::string::npos);
}

TEST(BenchCommand, ComparesClientsAtOnceWithOneAfterTheOther) {
  const ProcessResult r = bench({"--clients", "3", "--rounds", "4", "--steps", "2", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const Json json = Json::parse(r.out);
  EXPECT_EQ(json["clients"], 3);
  EXPECT_EQ(json["pictures"], 12);
  EXPECT_TRUE(json["equal"]) << "the same request each time";
  EXPECT_TRUE(json["lowest_psnr"].is_null());
  EXPECT_GT(json["alone_seconds"], 0);
  EXPECT_GT(json["together_seconds"], 0);
  EXPECT_GT(json["with_previews_seconds"], 0);
  const ProcessResult text = bench({"--clients", "2", "--rounds", "1", "--steps", "1"});
  EXPECT_NE(text.out.find("2 clients, 2 pictures: one after the other "), std::string::npos)
      << text.out;
}

TEST(BenchCommand, RefusesWhatItCannotMeasure) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"a prompt"},
                                             {"--batch", "0"},
                                             {"--rounds", "0"},
                                             {"--clients", "0"},
                                             {"--output", "x.png"}}) {
    const ProcessResult r = bench(words);
    EXPECT_EQ(r.exit_code, 2) << words[0] << r.err;
    EXPECT_EQ(r.out, "");
  }
  EXPECT_EQ(bench({"--model", "missing"}).exit_code, 5);
  EXPECT_EQ(bench({"--help"}).exit_code, 0);
}

TEST(BenchReport, Median) {
  EXPECT_EQ(cli::median({}), 0);
  EXPECT_EQ(cli::median({3, 1, 2}), 2);
  EXPECT_EQ(cli::median({4, 1, 3, 2}), 2.5);
}

// A figure that the driver does not give is null, never 0.
TEST(BenchReport, UnknownFiguresOfTheGpu) {
  const cli::BenchOptions options;
  const ModelInfo model;
  cli::BenchReport report{
      .options = options, .model = model, .batches = {cli::BenchBatch{}}, .gpu = {}, .ops = {}};
  report.gpu = {.name = "NVIDIA H200 MIG 1g.18gb", .driver = "580", .celsius = 40};
  Json json = Json::parse(cli::bench_json(report));
  EXPECT_TRUE(json["batches"][0]["device_peak_bytes"].is_null());
  for (const char* name : {"sm_mhz", "memory_mhz", "watts"}) {
    EXPECT_TRUE(json["gpu"][name].is_null()) << name;
  }
  EXPECT_EQ(json["gpu"]["celsius"], 40);
  EXPECT_NE(cli::bench_text(report).find("1g.18gb, driver 580, 40 C\n"), std::string::npos);

  report.gpu = {.name = "NVIDIA H200", .driver = "580", .sm_mhz = 1830, .watts = 660.4};
  report.batches[0].device_peak_bytes = 5;
  json = Json::parse(cli::bench_json(report));
  EXPECT_EQ(json["batches"][0]["device_peak_bytes"], 5);
  EXPECT_EQ(json["gpu"]["sm_mhz"], 1830);
  EXPECT_EQ(json["gpu"]["watts"], 660.4);
  EXPECT_NE(cli::bench_text(report).find("580, at the end 1830 MHz, 660 W\n"), std::string::npos);
}

TEST(BenchReport, PartOfCeiling) {
  const Ceilings c{.copy_bytes_per_second = 100,
                   .f32_flops_per_second = 10,
                   .bf16_flops_per_second = 20,
                   .fp8_flops_per_second = 40};
  const auto row = [](const char* numbers, double flops, double bytes) {
    return OpRow{.numbers = numbers, .seconds = 2, .flops = flops, .bytes = bytes};
  };
  EXPECT_EQ(cli::part_of_ceiling(row("fp8", 40, 0), c), 0.5);
  EXPECT_EQ(cli::part_of_ceiling(row("bf16", 40, 0), c), 1);
  EXPECT_EQ(cli::part_of_ceiling(row("f32", 10, 0), c), 0.5);
  EXPECT_EQ(cli::part_of_ceiling(row("", 0, 50), c), 0.25);
  EXPECT_EQ(cli::part_of_ceiling(row("fp8", 4, 100), c), 0.5) << "a product bound by memory";
  EXPECT_EQ(cli::part_of_ceiling(row("fp8", 40, 0), {}), 0) << "not measured";
}

TEST(GpuMonitor, KnowsTheGpuThatCudaMeans) {
  EXPECT_EQ(cli::visible_device("", 1), "1");
  EXPECT_EQ(cli::visible_device("3,5", 1), "5");
  EXPECT_EQ(cli::visible_device("GPU-ab,GPU-cd", 0), "GPU-ab");
  EXPECT_EQ(cli::visible_device("3", 1), "") << "there is none";
}

TEST(GpuMonitor, IsSilentOnTheCpu) {
  const cli::GpuMonitor monitor("cpu");
  EXPECT_FALSE(monitor.watching());
  EXPECT_EQ(monitor.peak_bytes(), 0u);
  EXPECT_EQ(monitor.read().name, "");
}

}  // namespace
}  // namespace octet::test
