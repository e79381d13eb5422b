// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "addon/process_object.h"

namespace junction::addon {

/// What the addon keeps per environment; nothing of it is shared between Node.js threads.
struct AddonState {
  Napi::FunctionReference process_constructor;   // not exported: only the addon makes these objects
  Napi::FunctionReference nic_port_constructor;  // likewise
  ProcessEnds process_ends;
};

}  // namespace junction::addon
