// OpenAI's POST /v1/images/edits: image to image, and inpainting where a mask is transparent.
#pragma once

#include "api/decoder.h"

namespace octet::api {

void add_edit_routes(http::Router& router, Service& service, Decoder& decoder);

}  // namespace octet::api
