#include "image/provenance.h"

#include <charconv>

#include "base/format.h"

namespace octet {
namespace {

constexpr const char* kSourceTypes = "http://cv.iptc.org/newscodes/digitalsourcetype/";

constexpr const char* kHead = R"(<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:octet="urn:octet:picture:1:">
)";

constexpr const char* kTail = R"(  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>)";

// Length of the UTF-8 sequence at text[at], 0 if it is none or stands for a character that XML 1.0
// does not allow.
std::size_t xml_character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const std::size_t size = first >= 0xf0 && first < 0xf5   ? 4
                           : first >= 0xe0 && first < 0xf0 ? 3
                           : first >= 0xc2 && first < 0xe0 ? 2
                                                           : 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (size == 3) {
    const unsigned code = (first & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
    if (code < 0x800 || (code >= 0xd800 && code < 0xe000) || code >= 0xfffe) return 0;
  }
  if (size == 4 && ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f))) {
    return 0;
  }
  return size;
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = xml_character(text, at);
    const char c = text[at];
    if (size == 0) {
      out += "\xef\xbf\xbd";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '\r') {
      out += "&#13;";  // as it is, readers would make it a line feed
    } else {
      out += text.substr(at, size);
    }
    at += size == 0 ? 1 : size;
  }
  return out;
}

void add(std::string& packet, const char* property, std::string_view value) {
  packet += format("   <%s>", property);
  packet += xml_text(value);
  packet += format("</%s>\n", property);
}

// One entity at text[at], which is '&'; moves behind it. What is none stays as it is.
std::string take_entity(std::string_view text, std::size_t& at) {
  const std::size_t end = text.find(';', at);
  const std::string_view name =
      end == text.npos || end - at > 8 ? "" : text.substr(at + 1, end - at - 1);
  struct Row {
    std::string_view name;
    const char* text;
  };
  constexpr Row kEntities[] = {{"amp", "&"},   {"lt", "<"},   {"gt", ">"},
                               {"quot", "\""}, {"apos", "'"}, {"#13", "\r"}};
  for (const Row& row : kEntities) {
    if (name != row.name) continue;
    at = end + 1;
    return row.text;
  }
  ++at;
  return "&";
}

}  // namespace

std::string provenance_xmp(const PictureParameters& p, XmpDetail detail) {
  std::string packet = kHead;
  const char* type =
      p.mask_hash ? "compositeWithTrainedAlgorithmicMedia" : "trainedAlgorithmicMedia";
  add(packet, "Iptc4xmpExt:DigitalSourceType", std::string(kSourceTypes) + type);
  add(packet, "xmp:CreatorTool", p.version ? format("Octet %s", p.version->c_str()) : "Octet");
  if (p.model) add(packet, "Iptc4xmpExt:AISystemUsed", *p.model);
  if (p.model_hash) add(packet, "Iptc4xmpExt:AISystemVersionUsed", *p.model_hash);
  if (detail == XmpDetail::kAll) {
    PictureParameters prompts;
    prompts.prompt = p.prompt;
    prompts.negative_prompt = p.negative_prompt;
    add(packet, "Iptc4xmpExt:AIPromptInformation", parameters_to_text(prompts));
    add(packet, "octet:parameters", parameters_to_json(p));
  }
  return packet + kTail;
}

bool describe_picture(const PictureParameters& parameters, ImageFormat format, bool provenance,
                      EncodeOptions& options) {
  if (format == ImageFormat::kPng) options.texts = picture_texts(parameters);
  options.xmp = provenance ? provenance_xmp(parameters) : "";
  if (format != ImageFormat::kJpeg || options.xmp.size() <= kMaxJpegXmp) return true;
  options.xmp = provenance_xmp(parameters, XmpDetail::kOriginOnly);
  return false;
}

std::optional<std::string> xmp_property(std::string_view packet, const std::string& property) {
  const std::string open = format("<%s>", property.c_str());
  const std::string close = format("</%s>", property.c_str());
  const std::size_t begin = packet.find(open);
  if (begin == packet.npos) return std::nullopt;
  const std::size_t text = begin + open.size();
  const std::size_t end = packet.find(close, text);
  if (end == packet.npos) return std::nullopt;
  std::string out;
  for (std::size_t at = text; at < end;) {
    if (packet[at] == '&') {
      out += take_entity(packet.substr(0, end), at);
    } else {
      out += packet[at++];
    }
  }
  return out;
}

}  // namespace octet
