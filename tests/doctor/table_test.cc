// The table as a whole: ids, explanations, levels, what blocks a start.
#include <gtest/gtest.h>

#include <set>

#include "doctor/findings.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace octet::doctor {
namespace {

using test::expect_error;

Subject machine_alone() { return {.engine = {.device = "cpu"}, .uses_model = false}; }

TEST(Table, IdsAreStableWords) {
  const std::vector<std::string> ids = check_ids();
  EXPECT_GE(ids.size(), 25u);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
  for (const std::string& id : ids) {
    EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string::npos)
        << id;
  }
  // Those that scripts and documents use.
  for (const char* id :
       {"cpu", "limits", "memory", "output", "cache", "model", "model-lock", "port", "key-file",
        "driver", "driver-version", "gpu", "gpu-fp8", "gpu-code", "cublaslt", "gpu-memory"}) {
    EXPECT_EQ(std::count(ids.begin(), ids.end(), id), 1) << id;
  }
}

TEST(Table, EveryIdIsExplained) {
  for (const std::string& id : check_ids()) {
    const std::string text = explain(id);
    EXPECT_TRUE(text.starts_with(id + " looks at ")) << text;
    EXPECT_NE(text.find("At worst it is a"), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("\n"));
  }
  EXPECT_NE(explain("limits").find("exit code 4"), std::string::npos);
  EXPECT_NE(explain("driver").find("--device cuda"), std::string::npos);
  EXPECT_NE(explain("clock").find("does not run at the start"), std::string::npos);
  expect_error(Code::kInvalidArgument, "expected one of cpu, glibc", [] { (void)explain("x"); });
  expect_error(Code::kInvalidArgument, "found ''", [] { (void)explain(""); });
}

TEST(Table, EveryCheckIsMade) {
  const std::vector<Finding> findings = examine(machine_alone());
  std::set<std::string> seen;
  for (const Finding& f : findings) {
    seen.insert(f.id);
    EXPECT_FALSE(f.says.empty()) << f.id;
    EXPECT_EQ(f.says.find('\n'), std::string::npos) << f.says;
    EXPECT_EQ(f.remedy.empty(), f.level == Level::kOk) << f.id << ": " << f.remedy;
    EXPECT_EQ(f.says.find("could not be made"), std::string::npos) << f.id << ": " << f.says;
  }
  const std::vector<std::string> ids = check_ids();
  EXPECT_EQ(seen, std::set<std::string>(ids.begin(), ids.end()));
}

TEST(Table, ExitCodeIsTheWorstLevel) {
  const auto with = [](Level level) {
    return std::vector<Finding>{{.id = "a"}, {.id = "b", .level = level}, {.id = "c"}};
  };
  EXPECT_EQ(exit_code(std::vector<Finding>{}), 0);
  EXPECT_EQ(exit_code(with(Level::kOk)), 0);
  EXPECT_EQ(exit_code(with(Level::kWarning)), 1);
  EXPECT_EQ(exit_code(with(Level::kFailure)), 2);
}

TEST(Table, AMachineThatIsFitStarts) {
  EXPECT_NO_THROW(require_fit(machine_alone()));
  EXPECT_TRUE(fast_checks(machine_alone()).empty());
}

TEST(Table, AStartIsRefusedWithIdCauseAndRemedy) {
  const test::TempFolder folder;
  Subject subject = machine_alone();
  subject.output = folder.path() + "/none";
  expect_error(Code::kIo, "output: " + subject.output + ": No such file or directory; mkdir -p",
               [&] { require_fit(subject); });
  const std::vector<Finding> found = test::findings_of(examine(subject), "output");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].level, Level::kFailure);
  EXPECT_EQ(found[0].code, Code::kIo);
  const std::string line = test::error_of([&] { require_fit(subject); }).what();
  EXPECT_EQ(line, "output: " + found[0].says + "; " + found[0].remedy) << "the same words";
}

// Which GPU it is about: none with auto and cpu, so that nothing of a driver ends their start.
TEST(Table, GpusThatAreAskedFor) {
  const auto asked = [](const std::string& device) {
    return asked_gpu({.engine = {.device = device}});
  };
  EXPECT_EQ(asked("auto"), std::nullopt);
  EXPECT_EQ(asked("cpu"), std::nullopt);
  EXPECT_EQ(asked("cuda"), 0);
  EXPECT_EQ(asked("cuda:0"), 0);
  EXPECT_EQ(asked("cuda:12"), 12);
}

TEST(Table, AGpusProblemIsAFailureOnlyForWhoAsksForIt) {
  const auto level = [](const std::string& device) {
    return gpu_problem({.engine = {.device = device}}, "broken", "mend it").level;
  };
  EXPECT_EQ(level("cuda"), Level::kFailure);
  EXPECT_EQ(level("auto"), Level::kWarning);
  EXPECT_EQ(level("cpu"), Level::kOk);
  EXPECT_EQ(gpu_problem({.engine = {.device = "cuda"}}, "broken", "mend it").remedy,
            "mend it, or use --device cpu");
}

TEST(Verdicts, SayWhatRunsAndInWhichNumbers) {
  const Subject subject = machine_alone();
  const Verdict v = verdict(subject, examine(subject));
  ASSERT_FALSE(v.native.empty());
  EXPECT_TRUE(v.native.front().starts_with("cpu: ")) << v.native.front();
  EXPECT_NE(v.other_precision.front().find("fp8 weights, computed in"), std::string::npos);
}

}  // namespace
}  // namespace octet::doctor
