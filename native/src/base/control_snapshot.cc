// SPDX-License-Identifier: Apache-2.0
#include "base/control_snapshot.h"

#include <netinet/in.h>
#include <unistd.h>

#include "base/control_block.h"

namespace junction {

Result<ControlSnapshot> ReadControlSnapshot(int fd) {
  alignas(ControlBlock) unsigned char bytes[sizeof(ControlBlock)];
  const ssize_t count = pread(fd, bytes, sizeof(bytes), 0);
  if (count < 0) {
    return ErrnoError("read the control block");
  }
  if (count != static_cast<ssize_t>(sizeof(bytes))) {
    return PlainError("the control block is too short");
  }
  // Sound: the buffer has the block's size and alignment, and all of its fields are integers or lock-free atomics of them.
  const auto& block = *reinterpret_cast<const ControlBlock*>(bytes);
  if (block.magic != kControlBlockMagic || block.version != kControlBlockVersion) {
    return PlainError("no control block of version " + std::to_string(kControlBlockVersion));
  }
  constexpr auto kRelaxed = std::memory_order_relaxed;  // a private copy: nobody else writes
  ControlSnapshot snapshot;
  snapshot.core_limit = block.core_limit.load(kRelaxed);
  snapshot.listen_seq = block.listen_seq.load(kRelaxed);
  snapshot.exit_signal = block.exit_signal.load(kRelaxed);
  snapshot.exit_code = block.exit_code.load(kRelaxed);
  const ControlIdle& idle = block.idle;
  snapshot.idle = {.parks = idle.parks.load(kRelaxed),
                   .spins = idle.spins.load(kRelaxed),
                   .spin_hits = idle.spin_hits.load(kRelaxed),
                   .ticks = idle.ticks.load(kRelaxed),
                   .frames_in = idle.frames_in.load(kRelaxed),
                   .frames_out = idle.frames_out.load(kRelaxed),
                   .peer_rings = idle.peer_rings.load(kRelaxed),
                   .broken_rings = idle.broken_rings.load(kRelaxed)};
  snapshot.processes_started = block.processes_started.load(kRelaxed);
  for (const ControlThread& thread : block.threads) {
    snapshot.threads += thread.host_tid.load(kRelaxed) != 0 ? 1 : 0;
    snapshot.guest_syscalls += thread.guest_syscalls.load(kRelaxed);
  }
  for (const ControlPort& port : block.ports) {
    const PortSnapshot copy{
        .guest_port = port.guest_port.load(kRelaxed),
        .host_port = port.host_port.load(kRelaxed),
        .protocol = port.protocol.load(kRelaxed),
        .is_listening = port.listening.load(kRelaxed) != 0,
        .inode = port.inode.load(kRelaxed),
    };
    if (copy.guest_port != 0 && copy.host_port != 0 && (copy.protocol == IPPROTO_TCP || copy.protocol == IPPROTO_UDP)) {
      snapshot.ports.push_back(copy);
    }
  }
  return snapshot;
}

}  // namespace junction
