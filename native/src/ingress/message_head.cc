// SPDX-License-Identifier: Apache-2.0
#include "ingress/message_head.h"

#include "ingress/http_chars.h"

namespace junction::ingress {
namespace {

FieldId Match(std::string_view name, std::string_view lower, FieldId id) {
  return EqualsLower(name, lower) ? id : FieldId::kOther;
}

}  // namespace

FieldId IdentifyField(std::string_view name) {
  const char first = LowerChar(name.empty() ? '\0' : name.front());
  switch (name.size()) {
    case 2:
      return Match(name, "te", FieldId::kTe);
    case 4:
      return first == 'h' ? Match(name, "host", FieldId::kHost) : Match(name, "date", FieldId::kDate);
    case 6:
      return Match(name, "expect", FieldId::kExpect);
    case 7:
      return first == 't' ? Match(name, "trailer", FieldId::kTrailer) : Match(name, "upgrade", FieldId::kUpgrade);
    case 9:
      return Match(name, "x-call-id", FieldId::kXCallId);
    case 10:
      if (first == 't') {
        return Match(name, "tracestate", FieldId::kTracestate);
      }
      return first == 'c' ? Match(name, "connection", FieldId::kConnection)
                          : Match(name, "keep-alive", FieldId::kKeepAlive);
    case 11:
      return Match(name, "traceparent", FieldId::kTraceparent);
    case 12:
      return Match(name, "x-start-time", FieldId::kXStartTime);
    case 14:
      return Match(name, "content-length", FieldId::kContentLength);
    case 15:
      return Match(name, "x-forwarded-for", FieldId::kXForwardedFor);
    case 16:
      return first == 'x' ? Match(name, "x-forwarded-host", FieldId::kXForwardedHost)
                          : Match(name, "proxy-connection", FieldId::kProxyConnection);
    case 17:
      return Match(name, "transfer-encoding", FieldId::kTransferEncoding);
    case 18:
      return first == 'x' ? Match(name, "x-duration-seconds", FieldId::kXDurationSeconds)
                          : Match(name, "proxy-authenticate", FieldId::kProxyAuthenticate);
    case 19:
      return Match(name, "proxy-authorization", FieldId::kProxyAuthorization);
    default:
      return FieldId::kOther;
  }
}

}  // namespace junction::ingress
