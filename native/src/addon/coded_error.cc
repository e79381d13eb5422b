// SPDX-License-Identifier: Apache-2.0
#include "addon/coded_error.h"

#include <cstring>

namespace junction::addon {

Napi::Error MakeCodedError(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

void ThrowCoded(Napi::Env env, const std::string& code, const std::string& message) {
  MakeCodedError(env, code, message).ThrowAsJavaScriptException();
}

void ThrowError(Napi::Env env, const Error& error, const char* plain_code) {
  const char* const name = error.code == 0 ? nullptr : strerrorname_np(error.code);
  ThrowCoded(env, name != nullptr ? name : plain_code, error.message);
}

}  // namespace junction::addon
