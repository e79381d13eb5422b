// SPDX-License-Identifier: Apache-2.0
#include "kernel/guest_handlers.h"
extern "C" {
uint32_t junction_watched_descriptors[WATCHED_DESCRIPTORS / 32];
}
namespace junction {
int64_t SysSocket(Call& call) { return call.Pass(); }
int64_t SysBind(Call& call) { return call.Pass(); }
int64_t SysListen(Call& call) { return call.Pass(); }
int64_t SysConnect(Call& call) { return call.Pass(); }
int64_t SysGetsockname(Call& call) { return call.Pass(); }
int64_t SysGetpeername(Call& call) { return call.Pass(); }
int64_t SysClose(Call& call) { return call.Pass(); }
}  // namespace junction
