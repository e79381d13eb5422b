// SPDX-License-Identifier: Apache-2.0
// Thin wrappers of Linux's descriptor-based mount calls (fsopen(2), open_tree(2), move_mount(2), mount_setattr(2); Linux 5.12+).
#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction {

struct MountParameter {
  const char* key;
  const char* value;  // nullptr: a flag
};

/// A new file system of `type`, mounted nowhere yet. `attributes` are MOUNT_ATTR_* bits.
Result<UniqueFd> NewFilesystem(const char* type, std::initializer_list<MountParameter> parameters, uint64_t attributes);

/// A copy of the mount at `path` (what is mounted below it stays out), mounted nowhere yet.
Result<UniqueFd> CloneMount(int dir_fd, const char* path);

/// Sets MOUNT_ATTR_* bits of a mount that nobody uses yet.
Result<void> SetMountAttributes(int mount_fd, uint64_t attributes);

/// Maps the ids of a mount that nobody uses yet: the file's id i becomes the host id that `user_namespace_fd` maps i to.
/// Fails with EINVAL where the file system cannot.
Result<void> MapMountIds(int mount_fd, int user_namespace_fd);

/// Puts a mount to its place.
Result<void> AttachMount(int mount_fd, int dir_fd, const char* path);

/// Makes a mount that is in its place the root of the calling process and of its mount namespace, and takes off what was there before.
Result<void> PivotTo(int root_fd);

/// The file or folder at `path` (blank or relative to it) inside the tree `root_fd`, whatever symbolic links say: none
/// leads out of the tree. The descriptor is O_PATH.
Result<UniqueFd> OpenInRoot(int root_fd, const std::string& path);

}  // namespace junction
