// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace junction::ingress {

/// What reaches the outside. Called rarely, from worker threads or from within ApplyRoutes; must neither block for long
/// nor call the ingress.
class IngressEvents {
 public:
  virtual ~IngressEvents() = default;

  /// A request waits for the first replica of this function (name.namespace).
  virtual void OnColdStart(const std::string& function_name) = 0;

  /// A replica that was taken out of the routes, or set to draining, has no request of this ingress any more.
  virtual void OnReplicaIdle(const std::string& replica_id) = 0;

  /// Something that no caller sees, for the log.
  virtual void OnError(const std::string& message) = 0;
};

}  // namespace junction::ingress
