// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "ingress/head_writer.h"
#include "ingress/text_writer.h"

namespace junction::ingress {
namespace {

/// Appends `,"name":"text"` with text escaped for JSON (RFC 8259); bytes over 127 go through as they are.
void AddMember(std::string& json, std::string_view name, std::string_view text) {
  if (text.empty()) {
    return;
  }
  json += json.size() > 1 ? ",\"" : "\"";
  json += name;
  json += "\":\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[6];
      TextWriter writer(escape, sizeof(escape));
      writer.Text("\\u");
      writer.Hex(static_cast<unsigned char>(c), 4);
      json.append(escape, sizeof(escape));
    } else {
      json += c;
    }
  }
  json += '"';
}

}  // namespace

std::string_view ReasonPhrase(uint16_t status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

Buffer* WriteOwnAnswer(const OwnAnswer& answer, BufferPool& pool) {
  std::string json = "{";
  AddMember(json, "error", answer.error);
  AddMember(json, "hop", answer.hop);
  AddMember(json, "function", answer.function);
  AddMember(json, "limit", answer.limit);
  json += "}\n";

  constexpr size_t kHeadRoom = 768;
  Buffer* const out = pool.Take(static_cast<uint32_t>(kHeadRoom + json.size()));
  TextWriter writer(out->data(), out->capacity);
  writer.Text("HTTP/1.1 ");
  writer.Decimal(answer.status);
  writer.Char(' ');
  writer.Text(ReasonPhrase(answer.status));
  writer.Text("\r\nContent-Type: application/json\r\nContent-Length: ");
  writer.Decimal(json.size());
  writer.Text("\r\nDate: ");
  writer.Text(answer.date);
  writer.Text("\r\n");
  if (answer.call != nullptr) {
    writer.Text("X-Call-Id: ");
    writer.Text(answer.call->id());
    writer.Text("\r\nX-Start-Time: ");
    writer.Text(answer.call->start_time());
    writer.Text("\r\nX-Duration-Seconds: ");
    writer.Seconds(answer.duration_ns);
    writer.Text("\r\n");
  }
  if (answer.retry_after_s > 0) {
    writer.Text("Retry-After: ");
    writer.Decimal(answer.retry_after_s);
    writer.Text("\r\n");
  }
  if (answer.status == 405) {
    // RFC 9110 section 15.5.6 demands the list; any other method is the function's to judge.
    writer.Text("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
  }
  if (answer.close) {
    writer.Text("Connection: close\r\n");
  } else if (answer.to_http10) {
    writer.Text("Connection: keep-alive\r\n");
  }
  writer.Text("\r\n");
  if (!answer.to_head) {
    writer.Text(json);
  }
  out->end = static_cast<uint32_t>(writer.size());
  return out;
}

}  // namespace junction::ingress
