// The binder: every type at its limits. What clients see of it is tested with the server.

#include "api/fields.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace octet::api {
namespace {

struct Body {
  int whole = 1;
  std::optional<int> even;
  std::optional<float> real;
  std::optional<double> exact;
  std::optional<std::uint64_t> big;
  std::string text = "none", word;
  bool flag = false;
  std::vector<int> list;
};

std::vector<Field> fields_of(Body& b) {
  return {{.name = "whole", .help = "", .target = &b.whole, .low = -5, .high = 5},
          {.name = "even", .help = "", .target = &b.even, .multiple = 2},
          {.name = "real", .help = "", .target = &b.real, .low = 0, .high = 1},
          {.name = "exact", .help = "", .target = &b.exact},
          {.name = "big", .help = "", .target = &b.big},
          {.name = "text", .help = "", .target = &b.text, .max_bytes = 4},
          {.name = "word", .help = "", .target = &b.word, .choices = {"a", "b"}},
          {.name = "flag", .help = "", .target = &b.flag},
          {.name = "list", .help = "", .target = &b.list, .low = 0, .high = 9},
          {.name = "any", .help = "", .target = Ignored()}};
}

/// The parameter that is refused; empty when none is.
std::string refused(const std::string& body, Unknown unknown = Unknown::kRefuse) {
  Body b;
  try {
    bind_fields(fields_of(b), body, unknown);
  } catch (const RequestError& error) {
    EXPECT_EQ(error.status(), 400);
    return error.param();
  }
  return "";
}

TEST(Fields, LimitsAreInside) {
  Body b;
  bind_fields(fields_of(b), R"({"whole":-5,"even":-2147483648,"real":1,"exact":0.6,
    "big":18446744073709551615,"text":"\u00e4\u00e4","word":"b","flag":true,"list":[0,9],
    "any":{"x":[null]}})",
              Unknown::kRefuse);
  EXPECT_EQ(b.whole, -5);
  EXPECT_EQ(b.even, -2147483648);
  EXPECT_EQ(b.real, 1.0f);
  EXPECT_EQ(b.exact, 0.6);
  EXPECT_EQ(b.big, ~std::uint64_t{0});
  EXPECT_EQ(b.word, "b");
  EXPECT_TRUE(b.flag);
  EXPECT_EQ(b.list, (std::vector<int>{0, 9}));
}

TEST(Fields, JustOutsideIsRefusedByName) {
  for (const auto& [body, param] : std::vector<std::pair<std::string, std::string>>{
           {R"({"whole":6})", "whole"},
           {R"({"whole":2147483648})", "whole"},
           {R"({"whole":9223372036854775808})", "whole"},
           {R"({"whole":-2147483649})", "whole"},
           {R"({"whole":"1"})", "whole"},
           {R"({"whole":1.0})", "whole"},
           {R"({"whole":true})", "whole"},
           {R"({"even":3})", "even"},
           {R"({"real":1.0001})", "real"},
           {R"({"real":"1"})", "real"},
           {R"({"big":-1})", "big"},
           {R"({"big":1.5})", "big"},
           {R"({"text":"12345"})", "text"},
           {R"({"text":["a"]})", "text"},
           {R"({"word":"c"})", "word"},
           {R"({"flag":1})", "flag"},
           {R"({"list":[10]})", "list"},
           {R"({"list":3})", "list"},
           {R"({"more":3})", "more"}}) {
    EXPECT_EQ(refused(body), param) << body;
  }
  EXPECT_EQ(refused(R"({"more":3})", Unknown::kIgnore), "");
}

TEST(Fields, TheSchemaSaysTheSame) {
  Body b;
  const auto schema = nlohmann::json::parse(schema_of(fields_of(b)));
  EXPECT_EQ(schema["properties"]["whole"]["minimum"], -5);
  EXPECT_EQ(schema["properties"]["even"]["multipleOf"], 2);
  EXPECT_EQ(schema["properties"]["word"]["enum"], nlohmann::json::array({"a", "b"}));
  EXPECT_EQ(schema["properties"]["text"]["maxLength"], 4);
  EXPECT_FALSE(schema["properties"]["any"].contains("type"));
}

}  // namespace
}  // namespace octet::api
