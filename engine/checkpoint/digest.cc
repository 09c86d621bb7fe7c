// A thin layer over OpenSSL, whose own headers stay here. It uses the processor's instructions for
// SHA where there are any.
#include "engine/checkpoint/digest.h"

#include <openssl/evp.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/little_endian.h"

namespace attend {
namespace {

EVP_MD_CTX* Context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  is_good_ =
      context_ != nullptr && EVP_DigestInit_ex(Context(context_), EVP_sha256(), nullptr) == 1;
}

Sha256::~Sha256() { EVP_MD_CTX_free(Context(context_)); }

void Sha256::Update(const void* bytes, size_t size) {
  if (is_good_ && size > 0) is_good_ = EVP_DigestUpdate(Context(context_), bytes, size) == 1;
}

absl::StatusOr<Sha256::Digest> Sha256::Finish() {
  Digest digest = {};
  unsigned int size = 0;
  if (!is_good_ || EVP_DigestFinal_ex(Context(context_), digest.data(), &size) != 1 ||
      size != digest.size()) {
    return absl::InternalError("SHA-256 failed");
  }
  return digest;
}

std::string HexOf(const Sha256::Digest& digest, size_t digits) {
  ATTEND_CHECK(digits % 2 == 0 && digits <= 2 * digest.size(), "whole bytes of the digest");
  std::string hex;
  for (size_t i = 0; i < digits / 2; ++i)
    absl::StrAppend(&hex, absl::Hex(digest[i], absl::kZeroPad2));
  return hex;
}

absl::StatusOr<uint64_t> Checksum(absl::Span<const absl::Span<const uint8_t>> parts) {
  Sha256 sha;
  for (const absl::Span<const uint8_t> part : parts) sha.Update(part.data(), part.size());
  ATTEND_ASSIGN_OR_RETURN(const Sha256::Digest digest, sha.Finish());
  return LoadU64(digest.data());
}

}  // namespace attend
