// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include <string>

#include "base/error.h"

namespace junction::addon {

/// Codes of ours, besides errno names (libs/native-binding/src/native-error.ts).
inline constexpr const char kCodeFormat[] = "ERR_NATIVE_FORMAT";
inline constexpr const char kCodeOption[] = "ERR_NATIVE_OPTION";
inline constexpr const char kCodeClosed[] = "ERR_NATIVE_CLOSED";

/// A JavaScript Error with a `code`.
Napi::Error MakeCodedError(Napi::Env env, const std::string& code, const std::string& message);

/// Throws one into JavaScript: return at once afterwards.
void ThrowCoded(Napi::Env env, const std::string& code, const std::string& message);

/// The same from an Error; `plain_code` is for one without an errno.
void ThrowError(Napi::Env env, const Error& error, const char* plain_code);

}  // namespace junction::addon
