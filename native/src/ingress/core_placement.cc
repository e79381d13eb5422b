// SPDX-License-Identifier: Apache-2.0
#include "ingress/core_placement.h"

#include <sched.h>
#include <sys/socket.h>

namespace junction::ingress {

void CorePlacement::Look(int fd) {
  // Where the last packet was taken in; over loopback that is the sender's core (socket(7), SO_INCOMING_CPU).
  int core = -1;
  socklen_t length = sizeof(core);
  if (getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &core, &length) != 0 || core < 0 || core >= CPU_SETSIZE ||
      core == sched_getcpu()) {
    return;
  }
  // Fails on machines of more than CPU_SETSIZE cores, where nobody needs it.
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || !CPU_ISSET(core, &allowed)) {
    return;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  if (sched_setaffinity(0, sizeof(one), &one) == 0) {
    // The same set was in force a moment ago, so only a change of the machine in between can refuse it.
    (void)sched_setaffinity(0, sizeof(allowed), &allowed);
  }
}

}  // namespace junction::ingress
