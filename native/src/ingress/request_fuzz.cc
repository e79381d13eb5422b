// SPDX-License-Identifier: Apache-2.0
// Fuzz target of all that is done to a client's bytes: what is let through reads the same for the next hop, with one
// framing and one host, whatever stood in it.
#include <algorithm>
#include <cstdint>

#include "ingress/fuzz_parts.h"
#include "ingress/head_writer.h"

namespace junction::ingress {
namespace {

void CheckForwarded(const MessageHead& head, const RequestPlan& plan) {
  const auto target = SplitTarget(head.method, head.target);
  if (!target) {
    JUNCTION_CHECK(target.error().status == 400 || target.error().status == 405);
    return;
  }
  BufferPool pool;
  Rng rng({1, 2, 3, 4});
  CallIdentity call;
  call.Take(head, rng, 1'700'000'000'000'000'000);
  const std::string text = TakeText(
      WriteRequestHead({.head = head, .plan = plan, .target = *target, .call = call, .peer_ip = "::1"}, rng, pool),
      pool);
  MessageHead next;
  JUNCTION_CHECK(ParseRequestHead(text, next) == HeadResult::kComplete && next.raw.size() == text.size());
  JUNCTION_CHECK(next.method == head.method);
  JUNCTION_CHECK(next.target.starts_with("/") || next.target == "*");
  const auto next_plan = PlanRequest(next);
  JUNCTION_CHECK(next_plan.has_value() && next_plan->body == plan.body && next_plan->length == plan.length);
  JUNCTION_CHECK(next_plan->keep_alive && !next_plan->expects_continue);
  JUNCTION_CHECK(CountFields(next, FieldId::kXCallId) == 1 && CountFields(next, FieldId::kXStartTime) == 1);
  JUNCTION_CHECK(CountFields(next, FieldId::kTraceparent) == 1 && CountFields(next, FieldId::kConnection) == 0);
}

}  // namespace
}  // namespace junction::ingress

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace junction::ingress;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  MessageHead head;
  if (ParseRequestHead(bytes, head) == HeadResult::kComplete) {
    CheckHeadEnd(bytes, head);
    if (const auto plan = PlanRequest(head)) {
      JUNCTION_CHECK(plan->body != BodyKind::kUntilClose);
      CheckForwarded(head, *plan);
      CheckBody(bytes.substr(head.raw.size()), plan->body, plan->length);
    }
  }
  CheckBody(bytes, BodyKind::kChunked, 0);
  return 0;
}
