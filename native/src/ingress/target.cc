// SPDX-License-Identifier: Apache-2.0
#include "ingress/target.h"

#include "ingress/http_chars.h"

namespace junction::ingress {
namespace {

constexpr std::string_view kFunctionPrefix = "/function";

/// Takes `http://authority` off. False when the form is not one that a server gets.
bool SplitAbsolute(std::string_view& target, std::string_view& authority) {
  const size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) {
    return false;
  }
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!EqualsLower(scheme, "http") && !EqualsLower(scheme, "https")) {
    return false;
  }
  target.remove_prefix(scheme_end + 3);
  const size_t path = target.find_first_of("/?");
  authority = target.substr(0, path);
  target = path == std::string_view::npos ? std::string_view() : target.substr(path);
  return !authority.empty() && AllChars(authority, chars::kHost);
}

}  // namespace

bool IsFunctionName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && AllChars(name, chars::kName);
}

std::expected<RequestTarget, Refusal> SplitTarget(std::string_view method, std::string_view target) {
  if (method == "CONNECT" || method == "TRACE") {
    return std::unexpected(Refusal{405, "CONNECT and TRACE are not served"});
  }
  RequestTarget result;
  if (target.front() != '/') {
    if (target == "*" && method == "OPTIONS") {
      result.path = target;
      return result;
    }
    if (!SplitAbsolute(target, result.authority)) {
      return std::unexpected(Refusal{400, "malformed request target"});
    }
    result.add_slash = target.empty() || target.front() == '?';
  }
  if (target.find('#') != std::string_view::npos) {
    return std::unexpected(Refusal{400, "a request target has no fragment"});
  }
  result.path = target;
  if (!target.starts_with(kFunctionPrefix)) {
    return result;
  }
  std::string_view rest = target.substr(kFunctionPrefix.size());
  if (!rest.empty() && rest.front() != '/') {
    return result;  // /functions, /function?x: the API's to answer
  }
  result.is_function = true;
  rest.remove_prefix(rest.empty() ? 0 : 1);
  result.function_name = rest.substr(0, rest.find_first_of("/?"));
  result.path = rest.substr(result.function_name.size());
  result.add_slash = result.path.empty() || result.path.front() == '?';
  return result;
}

}  // namespace junction::ingress
