// POST /sdapi/v1/txt2img and /sdapi/v1/img2img: A1111's requests for pictures, as jobs.
//
// What a field asks for and this server cannot do is left out, and "info" says so in its "remarks":
// fields that are not known, samplers of other programs, sizes beyond the model (the nearest is
// drawn). Pictures come as base64, with or without "data:...;base64,"; nothing is fetched.
#pragma once

#include "api/decoder.h"

namespace octet::api {

void add_a1111_draw_routes(http::Router& router, Service& service, Decoder& decoder);

}  // namespace octet::api
