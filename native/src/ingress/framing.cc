// SPDX-License-Identifier: Apache-2.0
#include "ingress/framing.h"

#include "ingress/http_chars.h"

namespace junction::ingress {
namespace {

/// Calls `visit` with each element of a comma-separated list, blanks trimmed, empty ones left out.
template <typename Visit>
void ForEachListItem(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view item = TrimBlanks(list.substr(0, comma));
    if (!item.empty()) {
      visit(item);
    }
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
}

struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool others = false;

  void Read(std::string_view value) {
    ForEachListItem(value, [this](std::string_view item) {
      if (EqualsLower(item, "close")) {
        close = true;
      } else if (EqualsLower(item, "keep-alive")) {
        keep_alive = true;
      } else {
        others = true;
      }
    });
  }

  bool KeepsAlive(uint8_t version_minor) const { return !close && (version_minor >= 1 || keep_alive); }
};

std::unexpected<Refusal> Refuse(uint16_t status, const char* reason) {
  return std::unexpected(Refusal{status, reason});
}

}  // namespace

bool ParseLength(std::string_view text, uint64_t& length) {
  if (text.empty() || text.size() > 19) {
    return false;
  }
  uint64_t value = 0;
  for (const char c : text) {
    if (!IsChar(c, chars::kDigit)) {
      return false;
    }
    value = value * 10 + static_cast<uint64_t>(c - '0');  // 19 digits fit into 64 bits
  }
  if (value > static_cast<uint64_t>(INT64_MAX)) {
    return false;
  }
  length = value;
  return true;
}

bool IsConnectionOption(const MessageHead& head, std::string_view field_name) {
  for (const HeadField& field : head.fields) {
    if (field.id != FieldId::kConnection) {
      continue;
    }
    bool found = false;
    ForEachListItem(head.Value(field), [&](std::string_view item) {
      if (item.size() != field_name.size()) {
        return;
      }
      for (size_t i = 0; i < item.size(); ++i) {
        if (LowerChar(item[i]) != LowerChar(field_name[i])) {
          return;
        }
      }
      found = true;
    });
    if (found) {
      return true;
    }
  }
  return false;
}

std::expected<RequestPlan, Refusal> PlanRequest(const MessageHead& head) {
  RequestPlan plan;
  ConnectionOptions connection;
  bool has_length = false;
  bool has_coding = false;
  uint32_t hosts = 0;
  for (const HeadField& field : head.fields) {
    switch (field.id) {
      case FieldId::kContentLength:
        if (has_length) {
          return Refuse(400, "more than one Content-Length");
        }
        if (!ParseLength(head.Value(field), plan.length)) {
          return Refuse(400, "Content-Length is not a number");
        }
        has_length = true;
        break;
      case FieldId::kTransferEncoding:
        if (has_coding) {
          return Refuse(400, "more than one Transfer-Encoding");
        }
        if (!EqualsLower(head.Value(field), "chunked")) {
          return Refuse(400, "Transfer-Encoding other than chunked");
        }
        has_coding = true;
        break;
      case FieldId::kHost:
        ++hosts;
        if (!AllChars(head.Value(field), chars::kHost)) {
          return Refuse(400, "Host is malformed");
        }
        break;
      case FieldId::kConnection:
        connection.Read(head.Value(field));
        break;
      case FieldId::kExpect:
        if (!EqualsLower(head.Value(field), "100-continue")) {
          return Refuse(417, "Expect other than 100-continue");
        }
        plan.expects_continue = head.version_minor >= 1;
        break;
      default:
        break;
    }
  }
  if (has_length && has_coding) {
    return Refuse(400, "Content-Length and Transfer-Encoding together");
  }
  if (has_coding && head.version_minor == 0) {
    return Refuse(400, "Transfer-Encoding in HTTP/1.0");
  }
  if (hosts > 1) {
    return Refuse(400, "more than one Host");
  }
  if (hosts == 0 && head.version_minor >= 1) {
    return Refuse(400, "no Host");
  }
  plan.body = has_coding ? BodyKind::kChunked : plan.length > 0 ? BodyKind::kLength : BodyKind::kNone;
  plan.keep_alive = connection.KeepsAlive(head.version_minor);
  plan.has_connection_options = connection.others;
  if (plan.body == BodyKind::kNone) {
    plan.expects_continue = false;
  }
  return plan;
}

std::expected<ResponsePlan, const char*> PlanResponse(const MessageHead& head, bool to_head) {
  ResponsePlan plan;
  ConnectionOptions connection;
  bool has_length = false;
  bool has_coding = false;
  for (const HeadField& field : head.fields) {
    switch (field.id) {
      case FieldId::kContentLength: {
        uint64_t length = 0;
        if (!ParseLength(head.Value(field), length)) {
          return std::unexpected("Content-Length is not a number");
        }
        // Some frameworks repeat the field; the same number twice leaves no doubt (RFC 9110 section 8.6).
        if (has_length && length != plan.length) {
          return std::unexpected("contradicting Content-Length");
        }
        plan.length = length;
        has_length = true;
        break;
      }
      case FieldId::kTransferEncoding:
        if (has_coding || !EqualsLower(head.Value(field), "chunked")) {
          return std::unexpected("Transfer-Encoding other than chunked");
        }
        has_coding = true;
        break;
      case FieldId::kConnection:
        connection.Read(head.Value(field));
        break;
      default:
        break;
    }
  }
  if (has_length && has_coding) {
    return std::unexpected("Content-Length and Transfer-Encoding together");
  }
  if (has_coding && head.version_minor == 0) {
    return std::unexpected("Transfer-Encoding in HTTP/1.0");
  }
  plan.keep_alive = connection.KeepsAlive(head.version_minor);
  plan.has_connection_options = connection.others;
  if (to_head || head.status < 200 || head.status == 204 || head.status == 304) {
    plan.body = BodyKind::kNone;
  } else if (has_coding) {
    plan.body = BodyKind::kChunked;
  } else if (has_length) {
    plan.body = plan.length > 0 ? BodyKind::kLength : BodyKind::kNone;
  } else {
    plan.body = BodyKind::kUntilClose;
    plan.keep_alive = false;
  }
  return plan;
}

}  // namespace junction::ingress
