// SPDX-License-Identifier: Apache-2.0
#include "run/mount_api.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace junction {

Result<UniqueFd> NewFilesystem(const char* type, std::initializer_list<MountParameter> parameters,
                               uint64_t attributes) {
  const UniqueFd context(fsopen(type, FSOPEN_CLOEXEC));
  if (!context.valid()) {
    return ErrnoError(std::string("file system ") + type);
  }
  for (const auto& [key, value] : parameters) {
    const unsigned command = value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (fsconfig(context.get(), command, key, value, 0) != 0) {
      return ErrnoError(std::string(type) + ": " + key + "=" + (value == nullptr ? "" : value));
    }
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return ErrnoError(std::string("create ") + type);
  }
  UniqueFd mount(fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)));
  if (!mount.valid()) {
    return ErrnoError(std::string("mount ") + type);
  }
  return mount;
}

Result<UniqueFd> CloneMount(int dir_fd, const char* path) {
  UniqueFd mount(open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path == '\0' ? AT_EMPTY_PATH : 0U)));
  if (!mount.valid()) {
    return ErrnoError(std::string("mount of ") + path);
  }
  return mount;
}

Result<void> SetMountAttributes(int mount_fd, uint64_t attributes) {
  mount_attr request{};
  request.attr_set = attributes;
  if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &request, sizeof(request)) != 0) {
    return ErrnoError("mount attributes");
  }
  return {};
}

Result<void> MapMountIds(int mount_fd, int user_namespace_fd) {
  mount_attr request{};
  request.attr_set = MOUNT_ATTR_IDMAP;
  request.userns_fd = static_cast<uint64_t>(user_namespace_fd);
  if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &request, sizeof(request)) != 0) {
    return ErrnoError("id-mapped mount");
  }
  return {};
}

Result<void> AttachMount(int mount_fd, int dir_fd, const char* path) {
  const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0U);
  if (move_mount(mount_fd, "", dir_fd, path, flags) != 0) {
    return ErrnoError(std::string("mount at ") + path);
  }
  return {};
}

Result<void> PivotTo(int root_fd) {
  // "." as both arguments puts the old root onto the new one, from where it is unmounted (pivot_root(2), NOTES).
  if (fchdir(root_fd) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0) {
    return ErrnoError("change the root");
  }
  return {};
}

Result<UniqueFd> OpenInRoot(int root_fd, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(syscall(SYS_openat2, root_fd, path.c_str(), &how, sizeof(how))));
  if (!fd.valid()) {
    return ErrnoError(path);
  }
  return fd;
}

}  // namespace junction
