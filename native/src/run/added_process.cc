// SPDX-License-Identifier: Apache-2.0
// The monitor's side of base/addition_protocol.h.
#include "run/added_process.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/addition_protocol.h"
#include "run/kernel_request.h"

namespace junction {
namespace {

constexpr int kNotFoundStatus = 127;  // as shells have it
constexpr int kNotRunnableStatus = 126;

std::unexpected<AdditionError> Own(Error error) {
  return std::unexpected(AdditionError{std::move(error), kOwnFailureStatus});
}

const char* Text(AdditionStep step) {
  switch (step) {
    case AdditionStep::kFork:
      return "the instance cannot make a process";
    case AdditionStep::kOrder:
      return "the new process got no order";
    case AdditionStep::kOutput:
      return "the new process cannot set up its descriptors";
    case AdditionStep::kFolder:
    case AdditionStep::kProgram:
      break;  // the caller's own fault, in words of its own
    case AdditionStep::kExec:
      return "the new process cannot execute";
  }
  return "the new process failed";
}

AdditionError ToError(const RequestMessage& message, const AdditionPlan& plan) {
  if (message.answer == RequestAnswer::kRefused) {
    return {{ESRCH, "the instance is ending"}, kOwnFailureStatus};
  }
  const int code = message.error < 0 && message.error > -4096 ? -message.error : EPROTO;
  const auto step = static_cast<AdditionStep>(message.reason);
  if (step == AdditionStep::kProgram) {
    const char* const reason = code == ENOEXEC ? "not a program that can be loaded (x86-64 ELF or #!)" : strerror(code);
    return {{code, plan.argv[0] + ": " + reason},
            code == ENOENT || code == ENOTDIR ? kNotFoundStatus : kNotRunnableStatus};
  }
  if (step == AdditionStep::kFolder) {
    return {{code, "working folder " + plan.cwd + ": " + strerror(code)}, kNotRunnableStatus};
  }
  return {{code, std::string(Text(step)) + ": " + strerror(code)}, kOwnFailureStatus};
}

struct Texts {
  UniqueFd file;
  AdditionOrder order{};
};

Result<Texts> WriteTexts(const AdditionPlan& plan) {
  std::string bytes = plan.cwd;
  bytes += '\0';
  for (const auto* list : {&plan.argv, &plan.env}) {
    for (const std::string& text : *list) {
      bytes += text;
      bytes += '\0';
    }
  }
  if (AdditionSize_bytes(bytes.size(), 1 + plan.argv.size() + plan.env.size()) > kAdditionMax_bytes) {
    return PlainError("arguments and environment together are too long");
  }
  Texts texts;
  texts.file.Reset(memfd_create("junction-addition", MFD_CLOEXEC));
  if (!texts.file.valid() ||
      write(texts.file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return ErrnoError("memory file");
  }
  texts.order = {.magic = kRequestMagic,
                 .texts_bytes = static_cast<uint32_t>(bytes.size()),
                 .argument_count = static_cast<uint32_t>(plan.argv.size()),
                 .environment_count = static_cast<uint32_t>(plan.env.size()),
                 .has_stdio = plan.has_stdio};
  return texts;
}

// Where the host tells only the number: its process waits for the order, so it is still the one that said that.
Result<GuestProcess> ToProcess(ReceivedMessage& accepted) {
  GuestProcess guest;
  guest.pid = accepted.pid;
  guest.pid_fd = std::move(accepted.pid_fd);
  if (guest.pid > 0 && !guest.pid_fd.valid()) {
    guest.pid_fd.Reset(static_cast<int>(syscall(SYS_pidfd_open, guest.pid, 0)));
  }
  return guest.pid_fd.valid() ? Result<GuestProcess>(std::move(guest)) : ErrnoError("the new process");
}

}  // namespace

std::expected<GuestProcess, AdditionError> StartAddition(const RunningInstance& instance, const AdditionPlan& plan) {
  auto texts = WriteTexts(plan);
  if (!texts) {
    return Own(texts.error());
  }
  auto request = KernelRequest::Prepare(instance, RequestKind::kAddition);
  if (!request) {
    return Own(request.error());
  }
  if (auto sent = request->Send(instance, "the instance did not answer within 10 s"); !sent) {
    return Own(sent.error());
  }
  auto first = request->Receive(instance, "the instance did not make a process within 10 s");
  if (!first) {
    return Own(first.error());
  }
  if (first->message.answer != RequestAnswer::kAccepted) {
    return std::unexpected(ToError(first->message, plan));
  }
  auto guest = ToProcess(*first);
  if (!guest) {
    return Own(guest.error());
  }
  std::vector<int> fds = {texts->file.get()};
  if (plan.has_stdio) {
    fds.insert(fds.end(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
  }
  if (auto sent = request->SendOrder(&texts->order, sizeof(texts->order), fds); !sent) {
    return Own(sent.error());
  }
  auto second = request->Receive(instance, "the program did not start within 10 s");
  if (!second) {
    return Own(second.error());
  }
  if (second->message.answer != RequestAnswer::kRunning) {
    return std::unexpected(ToError(second->message, plan));
  }
  guest->lifeline = request->TakeConnection();
  return std::move(*guest);
}

}  // namespace junction
