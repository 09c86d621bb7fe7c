// How the weights of a report are laid down in its page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "client/report/html_report.h"

namespace attend::client {

// Bytes of base64 that the map takes with 8 or 16 bits a weight.
int64_t WrittenMapBytes(const ReportMap& map, int bits);

// Base64 of the weights, little-endian. With 8 bits: 254 * sqrt(weight), 255 where not kept.
std::string EncodeMap(const ReportMap& map, int bits);

// Chooses 8 or 16 bits and takes the last maps from kinds until all fit, in turn, so that each kind
// keeps the same number of maps as far as it has them. Returns the bits.
int FitMaps(int64_t map_bytes, std::vector<ReportKind>* kinds);

}  // namespace attend::client
