// Row-major tensors go through a small buffer. Strided ones (a transposed matrix, now and then) are
// read with all that lies between their elements, and their elements picked out.
#include "engine/checkpoint/tensor_layout.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"

namespace attend {
namespace {

constexpr uint64_t kChunkBytes = uint64_t{1} << 20;  // a multiple of every element's size

std::unique_ptr<uint8_t[]> TryAllocate(uint64_t bytes) {
  return std::unique_ptr<uint8_t[]>(new (std::nothrow) uint8_t[bytes]);
}

// The bytes from a tensor's first element to the end of its last.
uint64_t SpannedBytes(const TensorLayout& layout) {
  uint64_t last = 0;
  for (size_t d = 0; d < layout.shape.size(); ++d) {
    // The stride of a single element is never used and may be any number.
    if (layout.shape[d] > 1)
      last += static_cast<uint64_t>(layout.shape[d] - 1) * static_cast<uint64_t>(layout.strides[d]);
  }
  return (last + 1) * ByteSize(layout.type);
}

absl::Status ReadRowMajor(const ByteSource& source, const TensorLayout& layout,
                          std::string_view tensor,
                          absl::FunctionRef<void(absl::Span<const uint8_t>)> sink) {
  const uint64_t chunk_bytes = std::min(layout.num_bytes, kChunkBytes);
  const std::unique_ptr<uint8_t[]> chunk = TryAllocate(chunk_bytes);
  if (chunk == nullptr) return NoMemoryFor({source.name(), tensor}, chunk_bytes);
  for (uint64_t done = 0; done < layout.num_bytes;) {
    const absl::Span<uint8_t> part(chunk.get(), std::min(layout.num_bytes - done, chunk_bytes));
    ATTEND_RETURN_IF_ERROR(source.Read(layout.begin + done, part, tensor));
    sink(part);
    done += part.size();
  }
  return absl::OkStatus();
}

absl::Status ReadStrided(const ByteSource& source, const TensorLayout& layout,
                         std::string_view tensor,
                         absl::FunctionRef<void(absl::Span<const uint8_t>)> sink) {
  const uint64_t spanned = SpannedBytes(layout);
  const std::unique_ptr<uint8_t[]> storage = TryAllocate(spanned);
  if (storage == nullptr) return NoMemoryFor({source.name(), tensor}, spanned);
  ATTEND_RETURN_IF_ERROR(source.Read(layout.begin, {storage.get(), spanned}, tensor));
  const uint64_t chunk_bytes = std::min(layout.num_bytes, kChunkBytes);
  const std::unique_ptr<uint8_t[]> chunk = TryAllocate(chunk_bytes);
  if (chunk == nullptr) return NoMemoryFor({source.name(), tensor}, chunk_bytes);
  const size_t element = ByteSize(layout.type);
  Shape index(layout.shape.size(), 0);
  int64_t from = 0;
  size_t filled = 0;
  for (uint64_t done = 0; done < layout.num_bytes; done += element) {
    std::memcpy(chunk.get() + filled, storage.get() + static_cast<size_t>(from) * element, element);
    filled += element;
    if (filled == chunk_bytes || done + element == layout.num_bytes) {
      sink({chunk.get(), filled});
      filled = 0;
    }
    for (size_t d = index.size(); d-- > 0;) {  // an odometer whose last dimension turns fastest
      if (layout.shape[d] == 1) continue;
      from += layout.strides[d];
      if (++index[d] < layout.shape[d]) break;
      from -= layout.shape[d] * layout.strides[d];
      index[d] = 0;
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool ComputeTensorBytes(DataType type, const Shape& shape, uint64_t limit, uint64_t* num_bytes) {
  uint64_t total = ByteSize(type);
  bool is_empty = false;
  for (int64_t dimension : shape) {
    if (dimension < 0) return false;
    if (dimension == 0) is_empty = true;
  }
  // NumElements() of the shape must not overflow either, not even on its way to a zero dimension.
  for (int64_t dimension : shape) {
    if (dimension != 0 &&
        total > static_cast<uint64_t>(INT64_MAX) / static_cast<uint64_t>(dimension))
      return false;
    if (dimension != 0) total *= static_cast<uint64_t>(dimension);
  }
  *num_bytes = is_empty ? 0 : total;
  return *num_bytes <= limit;
}

absl::Status ReadElements(const ByteSource& source, const TensorLayout& layout,
                          std::string_view tensor,
                          absl::FunctionRef<void(absl::Span<const uint8_t>)> sink) {
  if (layout.num_bytes == 0) return absl::OkStatus();
  return layout.strides.empty() ? ReadRowMajor(source, layout, tensor, sink)
                                : ReadStrided(source, layout, tensor, sink);
}

}  // namespace attend
