// The textual form of the parameters: prompt, negative prompt, one line of settings.
#include <algorithm>
#include <cctype>
#include <utility>

#include "image/flat_json.h"
#include "image/parameter_fields.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr std::string_view kNegative = "Negative prompt:";

std::string quote_if_needed(const std::string& value) {
  const bool plain = !value.empty() && value.find_first_of(",:\n\"\\") == std::string::npos &&
                     value.front() != ' ' && value.back() != ' ';
  return plain ? value : json_quote(value);
}

void skip_spaces(std::string_view line, std::size_t& at) {
  while (at < line.size() && line[at] == ' ') ++at;
}

bool label_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ' ' || c == '-' ||
         c == '/';
}

using Setting = std::pair<std::string, std::string>;

// One "label: value" at line[at]; moves behind it and its comma. False when there is none.
bool take_setting(std::string_view line, std::size_t& at, Setting& setting) {
  skip_spaces(line, at);
  const std::size_t begin = at;
  while (at < line.size() && label_letter(line[at])) ++at;
  if (at == begin || at >= line.size() || line[at] != ':') return false;
  setting.first = line.substr(begin, at - begin);
  ++at;
  skip_spaces(line, at);
  if (at < line.size() && line[at] == '"') {
    try {
      setting.second = json_unquote(line, at);
    } catch (const Error&) {
      return false;  // a prompt that happens to look like settings
    }
    skip_spaces(line, at);
    if (at < line.size() && line[at] != ',') return false;
  } else {
    const std::size_t end = std::min(line.find(',', at), line.size());
    setting.second = line.substr(at, end - at);
    at = end;
  }
  ++at;
  return true;
}

// The settings of a line, or nothing when it is not a line of settings.
std::vector<Setting> parse_settings(std::string_view line) {
  std::vector<Setting> settings;
  Setting setting;
  for (std::size_t at = 0; at < line.size();) {
    if (!take_setting(line, at, setting)) return {};
    settings.push_back(setting);
  }
  const bool starts = !settings.empty() && settings.front().first == "Steps";
  return starts || settings.size() >= 3 ? settings : std::vector<Setting>{};
}

// Position of the line that begins with `prefix`, or npos.
std::size_t find_line(std::string_view text, std::string_view prefix) {
  for (std::size_t at = 0; at != text.npos;) {
    if (text.substr(at, prefix.size()) == prefix) return at;
    const std::size_t end = text.find('\n', at);
    at = end == text.npos ? end : end + 1;
  }
  return text.npos;
}

std::string_view without_last_newline(std::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

}  // namespace

std::string parameters_to_text(const PictureParameters& parameters) {
  std::string text = parameters.prompt;
  if (!parameters.negative_prompt.empty()) {
    text += "\n";
    text += kNegative;
    text += " ";
    text += parameters.negative_prompt;
  }
  std::string line;
  for (const FieldValue& field : present_fields(parameters)) {
    const std::string shown = field.display ? display_name(field.value) : field.value;
    line += line.empty() ? "" : ", ";
    line += field.label;
    line += ": ";
    line += quote_if_needed(shown);
  }
  return line.empty() ? text : text + "\n" + line;
}

PictureParameters parameters_from_text(std::string_view text) {
  PictureParameters parameters;
  const std::size_t newline = text.rfind('\n');
  const std::size_t last = newline == text.npos ? 0 : newline + 1;
  const std::vector<Setting> settings = parse_settings(text.substr(last));
  if (!settings.empty()) text = without_last_newline(text.substr(0, last));
  for (const auto& [label, value] : settings) set_field_by_label(parameters, label, value);

  const std::size_t negative = find_line(text, kNegative);
  if (negative != text.npos) {
    std::string_view rest = text.substr(negative + kNegative.size());
    if (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    parameters.negative_prompt = rest;
    text = without_last_newline(text.substr(0, negative));
  }
  parameters.prompt = text;
  return parameters;
}

}  // namespace octet
