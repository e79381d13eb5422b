// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

using AesKey = std::array<uint8_t, 16>;

// Reads an AES-128 key of 32 hex digits; nothing where `text` is not one.
std::optional<AesKey> ParseKey(std::string_view text);

// Answers AES-128-CTR of `plain` as lowercase hex, with an initial counter block of zeros.
std::string EncryptToHex(const AesKey& key, std::string_view plain);
