// SPDX-License-Identifier: Apache-2.0
#include "aes_ctr.h"

#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace {

// libcrypto fails here only when it is out of memory or broken: nothing a request could mend.
void Require(int result, const char* call) {
  if (result == 1) return;
  std::fprintf(stderr, "aes-cpp: %s failed\n", call);
  std::abort();
}

int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<AesKey> ParseKey(std::string_view text) {
  AesKey key;
  if (text.size() != 2 * key.size()) return std::nullopt;
  for (size_t i = 0; i < key.size(); ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = HexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    key[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return key;
}

std::string EncryptToHex(const AesKey& key, std::string_view plain) {
  static constexpr std::array<uint8_t, 16> kCounterBlock{};
  static constexpr size_t kStep = 16 * 1024;  // stays in the first-level cache
  static const EVP_CIPHER* const kCipher = EVP_aes_128_ctr();

  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                &EVP_CIPHER_CTX_free);
  Require(context != nullptr, "EVP_CIPHER_CTX_new");
  Require(EVP_EncryptInit_ex(context.get(), kCipher, nullptr, key.data(), kCounterBlock.data()), "EVP_EncryptInit_ex");

  std::string text;
  text.reserve(2 * plain.size());
  std::array<uint8_t, kStep> encrypted;
  for (size_t at = 0; at < plain.size(); at += kStep) {
    const std::string_view piece = plain.substr(at, kStep);
    int size_bytes = 0;
    Require(EVP_EncryptUpdate(context.get(), encrypted.data(), &size_bytes,
                              reinterpret_cast<const uint8_t*>(piece.data()), static_cast<int>(piece.size())),
            "EVP_EncryptUpdate");
    for (int i = 0; i < size_bytes; ++i) {
      text.push_back("0123456789abcdef"[encrypted[i] >> 4]);
      text.push_back("0123456789abcdef"[encrypted[i] & 15]);
    }
  }
  return text;
}
