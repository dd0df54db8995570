// The web page: how it is served, and that its files fit together. What it does is tested in a
// browser (tests/page).

#include "api/page.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "api/model_json.h"
#include "serve/server_process.h"
#include "support/temp_folder.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

std::map<std::string, std::string> files() {
  std::map<std::string, std::string> all;
  for (const api::PageFile& file : api::page_files()) all[file.name] = {file.begin, file.end};
  return all;
}

/// What stands between `open` and `close`, everywhere in a text.
std::set<std::string> between(const std::string& text, const std::string& open, char close) {
  std::set<std::string> found;
  for (std::size_t at = text.find(open); at != text.npos; at = text.find(open, at)) {
    at += open.size();
    found.insert(text.substr(at, text.find(close, at) - at));
  }
  return found;
}

TEST(Page, ServedWithAStrictPolicy) {
  const ServerProcess server;
  const HttpAnswer page = server.get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.body, files().at("index.html"));
  const std::string policy = page.header("Content-Security-Policy");
  for (const char* part : {"default-src 'none'", "script-src 'self'", "style-src 'self'",
                           "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"}) {
    EXPECT_NE(policy.find(part), policy.npos) << part;
  }
  EXPECT_EQ(policy.find("unsafe"), policy.npos);
  EXPECT_EQ(page.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(page.header("X-Frame-Options"), "DENY");
  EXPECT_EQ(server.get("/page/main.js").header("Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(server.get("/page/page.css").header("Content-Type"), "text/css; charset=utf-8");
  EXPECT_EQ(server.get("/page/icon.svg").header("Content-Type"), "image/svg+xml");
}

TEST(Page, WhoHasItIsToldSo) {
  const ServerProcess server;
  const std::string tag = server.get("/page/main.js").header("ETag");
  ASSERT_EQ(tag.size(), 34u);
  EXPECT_NE(server.get("/").header("ETag"), tag);
  HttpConnection connection(server.port());
  const auto ask = [&](const std::string& tags) {
    connection.send("GET /page/main.js HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: " + tags +
                    "\r\n\r\n");
    return connection.receive_until("\r\n\r\n");
  };
  for (const std::string& tags : {tag, "\"x\", W/" + tag, std::string("*")}) {
    const std::string head = ask(tags);
    EXPECT_TRUE(head.starts_with("HTTP/1.1 304 Not Modified\r\n")) << head;
    EXPECT_NE(head.find("ETag: " + tag), head.npos);
    EXPECT_EQ(head.find("Content-Length"), head.npos) << "the connection goes on at once";
  }
  EXPECT_TRUE(ask("\"x\"").starts_with("HTTP/1.1 200"));
}

TEST(Page, NoOtherFiles) {
  const ServerProcess server;
  for (const char* path : {"/page/", "/page/main", "/page/x.js", "/page/..", "/page/%2e%2e%2fx.js",
                           "/page/.js", "/page/a/main.js", "/index.html", "/page/MAIN.JS"}) {
    EXPECT_EQ(server.get(path).status, 404) << path;
  }
  EXPECT_EQ(server.post("/", "{}").status, 405);
}

TEST(Page, FromAFolder) {
  const TempFolder folder;
  const std::filesystem::path inside = std::filesystem::path(folder.path()) / "page";
  std::filesystem::create_directory(inside);
  std::ofstream(inside.parent_path() / "secret.js") << "secret";
  std::ofstream(inside / "index.html") << "first";
  std::ofstream(inside / "notes.txt") << "notes";
  const ServerProcess server({"--page", inside.string()});
  EXPECT_EQ(server.get("/").body, "first");
  std::ofstream(inside / "index.html") << "second";
  EXPECT_EQ(server.get("/").body, "second");
  for (const char* path : {"/page/main.js", "/page/notes.txt", "/page/../secret.js",
                           "/page/%2e%2e%2fsecret.js", "/page/..%2fsecret.js"}) {
    EXPECT_EQ(server.get(path).status, 404) << path;
  }
}

TEST(Page, AsksNobodyElseAndHoldsNoInlineCode) {
  for (const auto& [name, text] : files()) {
    std::string rest = text;  // names of XML dialects are no addresses that are asked
    const std::string svg = "http://www.w3.org/2000/svg";
    for (std::size_t at = rest.find(svg); at != rest.npos; at = rest.find(svg)) {
      rest.erase(at, svg.size());
    }
    for (const char* bad : {"http:", "https:", "//cdn", "@import", "url(", "eval(", "innerHTML",
                            "outerHTML", "insertAdjacent", "document.write"}) {
      EXPECT_EQ(rest.find(bad), rest.npos) << name << ": " << bad;
    }
  }
  const std::string html = files().at("index.html");
  for (const char* bad : {" style=", "<style", " onclick", " onload", "javascript:", "<script>"}) {
    EXPECT_EQ(html.find(bad), html.npos) << bad;
  }
}

TEST(Page, WhatItNamesExists) {
  const auto all = files();
  const std::set<std::string> ids = between(all.at("index.html"), " id=\"", '"');
  EXPECT_GT(ids.size(), 50u);
  for (const auto& [name, text] : all) {
    for (const std::string& id : between(text, "$('", '\'')) EXPECT_TRUE(ids.contains(id)) << id;
    for (const std::string& id : between(text, "getElementById('", '\'')) {
      EXPECT_TRUE(ids.contains(id)) << id;
    }
    for (const std::string& file : between(text, "from './", '\'')) {
      EXPECT_TRUE(all.contains(file)) << name << " imports " << file;
    }
    for (const char* attribute : {" for=\"", "aria-labelledby=\""}) {
      for (const std::string& id : between(text, attribute, '"')) {
        EXPECT_TRUE(ids.contains(id)) << id;
      }
    }
    for (const std::string& file : between(text, "\"/page/", '"')) {
      EXPECT_TRUE(all.contains(file)) << name << " names " << file;
    }
  }
}

TEST(Page, ModelsSayTheirSettings) {
  const ServerProcess server;
  const Json model = Json::parse(server.get("/v1/models").body)["data"][0];
  EXPECT_EQ(model["id"], "emoji");
  EXPECT_EQ(model["object"], "model");
  const Json octet = model["octet"];
  EXPECT_EQ(octet["size"], "64x64");
  EXPECT_EQ(octet["num_inference_steps"], 20);
  EXPECT_EQ(octet["guidance_scale"], 4.5);
  EXPECT_EQ(octet["samplers"], Json::array({"euler", "dpmpp_2m"}));
  EXPECT_EQ(Json::parse(server.get("/v1/models/emoji").body), model);
  // Every size that is offered is one that is accepted.
  for (const Json& size : octet["sizes"]) {
    EXPECT_EQ(server.draw(Json{{"prompt", "a"}, {"size", size}}.dump()).status, 200) << size;
  }
}

TEST(Page, UsualSizes) {
  serve::ModelCard card{.width = 1024, .height = 1024, .longest_side = 1440};
  const std::vector<std::pair<int, int>> expected = {
      {768, 1360}, {832, 1248}, {880, 1184}, {1024, 1024}, {1184, 880}, {1248, 832}, {1360, 768}};
  EXPECT_EQ(api::usual_sizes(card), expected);
  card.longest_side = 1024;  // nothing is longer, nothing comes twice
  for (const auto& [width, height] : api::usual_sizes(card)) {
    EXPECT_LE(std::max(width, height), 1024);
    EXPECT_EQ(width % 16 + height % 16, 0);
  }
  card.width = card.height = 16;
  EXPECT_EQ(api::usual_sizes(card).size(), 1u);
}

}  // namespace
}  // namespace octet::test
