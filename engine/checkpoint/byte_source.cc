// Memory ends where it ends; the error is the one that a file cut short gives.
#include "engine/checkpoint/byte_source.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"

namespace attend {

absl::StatusOr<std::string> ByteSource::ReadString(uint64_t offset, uint64_t count) const {
  std::string text(count, '\0');
  ATTEND_RETURN_IF_ERROR(Read(offset, {reinterpret_cast<uint8_t*>(text.data()), text.size()}));
  return text;
}

absl::Status MemorySource::Read(uint64_t offset, absl::Span<uint8_t> out,
                                std::string_view tensor) const {
  const uint64_t left = offset < bytes_.size() ? bytes_.size() - offset : 0;
  if (out.size() > left) return ShortRead({name_, tensor}, offset, out.size(), left);
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return absl::OkStatus();
}

}  // namespace attend
