/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings of all kinds, their changes and errors, the break, memfd, limits. */
#include "suite.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { kPage = 4096 };

static char* map(size_t size, int protection, int flags) {
  char* const memory = mmap(NULL, size, protection, flags | MAP_ANONYMOUS, -1, 0);
  EXPECT(memory != MAP_FAILED);
  return memory;
}

static char* map_private(size_t size) { return map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE); }

static sigjmp_buf jump;
static void jump_back(int signal) { siglongjmp(jump, signal); }

/* The signal that an access gives, 0 if it works. */
static int access_signal(volatile char* address, int is_write) {
  install(SIGSEGV, jump_back, 0);
  install(SIGBUS, jump_back, 0);
  const int signal = sigsetjmp(jump, 1);
  if (signal == 0) {
    if (is_write) {
      *address = *address;
    } else {
      (void)*address;
    }
  }
  return signal;
}

static int all_are(const char* memory, size_t size, char value) {
  for (size_t i = 0; i < size; ++i) {
    if (memory[i] != value) {
      return 0;
    }
  }
  return 1;
}

CASE(anonymous_memory_is_zero_and_aligned) {
  char* const memory = map_private(10 * kPage);
  EXPECT_EQ((uintptr_t)memory % kPage, 0);
  EXPECT(all_are(memory, 10 * kPage, 0));
  memset(memory, 7, 10 * kPage);
  EXPECT_OK(munmap(memory, 10 * kPage));
  EXPECT_EQ(access_signal(memory, 0), SIGSEGV);
}

CASE(mmap_errors) {
  const int rw = PROT_READ | PROT_WRITE;
  const int fd = scratch_file();
  const int reader = open(suite_program, O_RDONLY);
#define EXPECT_MMAP_ERR(call, error) EXPECT_ERR((long)(call), error)
  EXPECT_MMAP_ERR(mmap(NULL, 0, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  EXPECT_MMAP_ERR(mmap(NULL, kPage, rw, MAP_ANONYMOUS, -1, 0), EINVAL);
  EXPECT_MMAP_ERR(mmap((void*)5, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
  EXPECT_MMAP_ERR(mmap(NULL, kPage, rw, MAP_PRIVATE, fd, 100), EINVAL);
  EXPECT_MMAP_ERR(mmap(NULL, kPage, rw, MAP_SHARED, reader, 0), EACCES);
  EXPECT_MMAP_ERR(mmap(NULL, (size_t)1 << 60, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  EXPECT(mmap(NULL, kPage, rw, MAP_PRIVATE, reader, 0) != MAP_FAILED); /* private is fine */
  int fds[2];
  make_pipe(fds);
  EXPECT_MMAP_ERR(mmap(NULL, kPage, PROT_READ, MAP_PRIVATE, fds[0], 0), ENODEV);
}

CASE(a_hint_is_taken_when_it_is_free) {
  char* const memory = map_private(3 * kPage);
  EXPECT_OK(munmap(memory + kPage, kPage));
  EXPECT(mmap(memory + kPage, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == memory + kPage);
  char* const other = mmap(memory, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(other != MAP_FAILED && other != memory);
}

CASE(fixed_replaces) {
  char* const memory = map_private(3 * kPage);
  memset(memory, 7, 3 * kPage);
  EXPECT(mmap(memory + kPage, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory + kPage);
  EXPECT(all_are(memory + kPage, kPage, 0));
  EXPECT_EQ(access_signal(memory + kPage, 1), SIGSEGV);
  EXPECT(all_are(memory, kPage, 7) && all_are(memory + 2 * kPage, kPage, 7));
}

CASE(fixed_noreplace_does_not) {
  char* const memory = map_private(2 * kPage);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  EXPECT_ERR((long)mmap(memory, kPage, PROT_READ, flags, -1, 0), EEXIST);
  EXPECT_OK(munmap(memory, kPage));
  EXPECT_ERR((long)mmap(memory, 2 * kPage, PROT_READ, flags, -1, 0), EEXIST);
  EXPECT(mmap(memory, kPage, PROT_READ, flags, -1, 0) == memory);
}

CASE(munmap_of_the_middle_and_of_nothing) {
  char* const memory = map_private(3 * kPage);
  EXPECT_OK(munmap(memory + kPage, kPage));
  EXPECT_EQ(access_signal(memory + kPage, 0), SIGSEGV);
  EXPECT_EQ(access_signal(memory, 1), 0);
  EXPECT_EQ(access_signal(memory + 2 * kPage, 1), 0);
  EXPECT_OK(munmap(memory, 3 * kPage)); /* holes do not matter */
  EXPECT_OK(munmap(memory, 3 * kPage));
  EXPECT_ERR(munmap(memory + 1, kPage), EINVAL);
  EXPECT_ERR(munmap(memory, 0), EINVAL);
}

CASE(mprotect_changes_access) {
  char* const memory = map_private(3 * kPage);
  memory[kPage] = 9;
  EXPECT_OK(mprotect(memory + kPage, kPage, PROT_READ));
  EXPECT_EQ(access_signal(memory + kPage, 0), 0);
  EXPECT_EQ(access_signal(memory + kPage, 1), SIGSEGV);
  EXPECT_EQ(access_signal(memory + 2 * kPage, 1), 0);
  EXPECT_OK(mprotect(memory + kPage, kPage, PROT_NONE));
  EXPECT_EQ(access_signal(memory + kPage, 0), SIGSEGV);
  EXPECT_OK(mprotect(memory + kPage, kPage, PROT_READ | PROT_WRITE));
  EXPECT_EQ(memory[kPage], 9);
}

CASE(mprotect_errors) {
  char* const memory = map_private(3 * kPage);
  EXPECT_ERR(mprotect(memory + 1, kPage, PROT_READ), EINVAL);
  EXPECT_OK(mprotect(memory, 0, PROT_READ));
  EXPECT_OK(munmap(memory + kPage, kPage));
  EXPECT_ERR(mprotect(memory, 3 * kPage, PROT_READ), ENOMEM);
  EXPECT_ERR(mprotect(memory, kPage, 0x100), EINVAL);
  const int reader = open(suite_program, O_RDONLY);
  char* const file = mmap(NULL, kPage, PROT_READ, MAP_SHARED, reader, 0);
  EXPECT_ERR(mprotect(file, kPage, PROT_READ | PROT_WRITE), EACCES);
}

CASE(shared_anonymous_memory_across_fork) {
  atomic_int* const shared = (atomic_int*)map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED);
  char* const private_memory = map_private(kPage);
  const pid_t pid = child_start();
  if (pid == 0) {
    atomic_store(shared, 5);
    private_memory[0] = 5;
    await_at_least(shared, 6);
    _exit(0);
  }
  await_at_least(shared, 5);
  EXPECT_EQ(private_memory[0], 0);
  atomic_store(shared, 6);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(copy_on_write_both_ways) {
  char* const memory = map_private(100 * kPage);
  memset(memory, 1, 100 * kPage);
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    take_byte(fds[0]);
    EXPECT(all_are(memory, 100 * kPage, 1)); /* the parent has changed its own */
    memset(memory, 3, 100 * kPage);
    _exit(0);
  }
  memset(memory, 2, 100 * kPage);
  put_byte(fds[1]);
  EXPECT_EQ(child_result(pid), 0);
  EXPECT(all_are(memory, 100 * kPage, 2));
}

CASE(shared_file_mapping_writes_the_file) {
  const int fd = scratch_file();
  EXPECT_OK(ftruncate(fd, 2 * kPage));
  char* const memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, kPage);
  EXPECT(memory != MAP_FAILED);
  memcpy(memory + 10, "mapped", 6);
  char buffer[8] = "";
  EXPECT_EQ(pread(fd, buffer, 6, kPage + 10), 6);
  EXPECT_BYTES(buffer, "mapped");
  EXPECT_EQ(pwrite(fd, "written", 7, kPage + 20), 7);
  EXPECT_BYTES(memory + 20, "written");
  EXPECT_OK(msync(memory, kPage, MS_SYNC));
  close(fd); /* the mapping stays */
  EXPECT_BYTES(memory + 10, "mapped");
}

CASE(private_file_mapping_keeps_its_changes) {
  const int fd = scratch_file();
  EXPECT_EQ(write(fd, "original", 8), 8);
  char* const memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  EXPECT(memory != MAP_FAILED);
  EXPECT_BYTES(memory, "original");
  memcpy(memory, "changed!", 8);
  char buffer[8];
  EXPECT_EQ(pread(fd, buffer, 8, 0), 8);
  EXPECT_BYTES(buffer, "original");
}

CASE(msync_errors) {
  char* const memory = map_private(2 * kPage);
  EXPECT_OK(msync(memory, kPage, MS_ASYNC));
  EXPECT_ERR(msync(memory + 1, kPage, MS_SYNC), EINVAL);
  EXPECT_ERR(msync(memory, kPage, MS_SYNC | MS_ASYNC), EINVAL);
  EXPECT_OK(munmap(memory + kPage, kPage));
  EXPECT_ERR(msync(memory, 2 * kPage, MS_SYNC), ENOMEM);
}

CASE(mremap_shrinks_and_grows) {
  char* memory = map_private(4 * kPage);
  memset(memory, 7, 4 * kPage);
  EXPECT(mremap(memory, 4 * kPage, 2 * kPage, 0) == memory);
  EXPECT_EQ(access_signal(memory + 2 * kPage, 0), SIGSEGV);
  EXPECT(mremap(memory, 2 * kPage, 3 * kPage, 0) == memory); /* there is room */
  EXPECT(all_are(memory, 2 * kPage, 7) && all_are(memory + 2 * kPage, kPage, 0));
}

CASE(mremap_moves) {
  char* const memory = map_private(3 * kPage);
  memset(memory, 7, kPage);
  EXPECT_ERR((long)mremap(memory, kPage, 2 * kPage, 0), ENOMEM); /* no room */
  char* const moved = mremap(memory, kPage, 50 * kPage, MREMAP_MAYMOVE);
  EXPECT(moved != MAP_FAILED && moved != memory);
  EXPECT(all_are(moved, kPage, 7) && all_are(moved + kPage, 49 * kPage, 0));
  EXPECT_EQ(access_signal(memory, 0), SIGSEGV);
  EXPECT_EQ(access_signal(memory + kPage, 1), 0);
}

CASE(mremap_to_a_fixed_place) {
  char* const memory = map_private(kPage);
  char* const target = map_private(3 * kPage);
  memory[0] = 7;
  target[kPage] = 9;
  EXPECT(mremap(memory, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, target + kPage) == target + kPage);
  EXPECT_EQ(target[kPage], 7);
  EXPECT_EQ(access_signal(memory, 0), SIGSEGV);
  EXPECT_ERR((long)mremap(target, kPage, kPage, MREMAP_FIXED, target + kPage), EINVAL);
  EXPECT_ERR((long)mremap(target, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, target + kPage), EINVAL);
}

CASE(mremap_errors) {
  char* const memory = map_private(2 * kPage);
  EXPECT_ERR((long)mremap(memory + 1, kPage, kPage, 0), EINVAL);
  EXPECT_ERR((long)mremap(memory, kPage, 0, 0), EINVAL);
  EXPECT_ERR((long)mremap(memory, kPage, kPage, 0x100), EINVAL);
  EXPECT_OK(munmap(memory, 2 * kPage));
  EXPECT_ERR((long)mremap(memory, kPage, 2 * kPage, MREMAP_MAYMOVE), EFAULT);
}

CASE(mremap_of_a_shared_mapping_makes_a_second_one) {
  char* const memory = map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED);
  char* const second = mremap(memory, 0, kPage, MREMAP_MAYMOVE);
  EXPECT(second != MAP_FAILED && second != memory);
  second[5] = 7;
  EXPECT_EQ(memory[5], 7);
}

CASE(dontneed_zeroes_private_and_keeps_shared) {
  char* const memory = map_private(3 * kPage);
  memset(memory, 7, 3 * kPage);
  EXPECT_OK(madvise(memory + kPage, kPage, MADV_DONTNEED));
  EXPECT(all_are(memory, kPage, 7) && all_are(memory + kPage, kPage, 0) && all_are(memory + 2 * kPage, kPage, 7));
  char* const shared = map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED);
  shared[0] = 7;
  EXPECT_OK(madvise(shared, kPage, MADV_DONTNEED));
  EXPECT_EQ(shared[0], 7);
  const int fd = scratch_file();
  EXPECT_EQ(write(fd, "original", 8), 8);
  char* const file = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  file[0] = 'O';
  EXPECT_OK(madvise(file, kPage, MADV_DONTNEED));
  EXPECT_BYTES(file, "original");
}

CASE(madvise_errors_and_hints) {
  char* const memory = map_private(3 * kPage);
  EXPECT_ERR(madvise(memory + 1, kPage, MADV_DONTNEED), EINVAL);
  EXPECT_ERR(madvise(memory, kPage, 9999), EINVAL);
  EXPECT_OK(madvise(memory, kPage, MADV_WILLNEED));
  EXPECT_OK(madvise(memory, kPage, MADV_RANDOM));
  EXPECT_OK(madvise(memory, kPage, MADV_FREE));
  EXPECT_OK(munmap(memory + kPage, kPage));
  EXPECT_ERR(madvise(memory, 3 * kPage, MADV_DONTNEED), ENOMEM);
}

CASE(dontfork_and_wipeonfork) {
  char* const gone = map_private(kPage);
  char* const wiped = map_private(kPage);
  gone[0] = wiped[0] = 7;
  EXPECT_OK(madvise(gone, kPage, MADV_DONTFORK));
  EXPECT_OK(madvise(wiped, kPage, MADV_WIPEONFORK));
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(access_signal(gone, 0), SIGSEGV);
    EXPECT_EQ(wiped[0], 0);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT(gone[0] == 7 && wiped[0] == 7);
}

CASE(mincore_tells_what_was_touched) {
  unsigned char present[3];
  char* const memory = map_private(3 * kPage);
  memory[kPage] = 1;
  EXPECT_OK(mincore(memory, 3 * kPage, present));
  EXPECT_EQ(present[1] & 1, 1);
  EXPECT_ERR(mincore(memory + 1, kPage, present), EINVAL);
  EXPECT_OK(munmap(memory, 3 * kPage));
  EXPECT_ERR(mincore(memory, kPage, present), ENOMEM);
}

CASE(break_moves) {
  char* const start = sbrk(0);
  EXPECT(sbrk(100000) == start);
  EXPECT(all_are(start, 100000, 0));
  memset(start, 7, 100000);
  EXPECT(sbrk(-100000) == start + 100000);
  EXPECT(sbrk(100000) == start);
  EXPECT(all_are(start + kPage, 100000 - kPage, 0)); /* fresh pages */
  EXPECT_EQ(syscall(SYS_brk, 0), (long)(uintptr_t)(start + 100000));
  EXPECT_EQ(syscall(SYS_brk, 5), (long)(uintptr_t)(start + 100000)); /* cannot be, and tells where it is */
}

CASE(memfd_is_a_file) {
  const int fd = memfd_create("name", MFD_CLOEXEC);
  EXPECT_OK(fd);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(write(fd, "abc", 3), 3);
  struct stat stat;
  EXPECT_OK(fstat(fd, &stat));
  EXPECT(S_ISREG(stat.st_mode) && stat.st_size == 3);
  char* const memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT_BYTES(memory, "abc");
  memory[0] = 'x';
  char byte = 0;
  EXPECT_EQ(pread(fd, &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'x');
  EXPECT_ERR(memfd_create("name", 0x80000000U), EINVAL);
}

CASE(memfd_seals) {
  const int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
  EXPECT_OK(fd);
  EXPECT_OK(ftruncate(fd, kPage));
  EXPECT_EQ(fcntl(fd, F_GET_SEALS), 0);
  EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  EXPECT_ERR(ftruncate(fd, 0), EPERM);
  EXPECT_ERR(ftruncate(fd, 2 * kPage), EPERM);
  char* const memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY); /* while it is mapped for writing */
  EXPECT_OK(munmap(memory, kPage));
  EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  EXPECT_ERR(write(fd, "x", 1), EPERM);
  EXPECT_ERR((long)mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
  EXPECT_EQ(fcntl(memfd_create("plain", 0), F_GET_SEALS), F_SEAL_SEAL);
}

CASE(memfd_shared_with_a_child_through_exec) {
  const int fd = memfd_create("shared", 0);
  EXPECT_OK(ftruncate(fd, kPage));
  EXPECT_EQ(dup2(fd, 200), 200);
  const pid_t pid = child_start();
  if (pid == 0) {
    helper_exec("write_memfd", NULL);
  }
  EXPECT_EQ(child_result(pid), 0);
  char byte = 0;
  EXPECT_EQ(pread(fd, &byte, 1, 9), 1);
  EXPECT_EQ(byte, 'm');
}

HELPER(write_memfd) {
  char* const memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, 200, 0);
  EXPECT(memory != MAP_FAILED);
  memory[9] = 'm';
  return 0;
}

static int maps_mention(const char* memory, const char* rights) {
  char expected[64];
  char line[512];
  snprintf(expected, sizeof(expected), "%lx-%lx %s", (unsigned long)(uintptr_t)memory,
           (unsigned long)(uintptr_t)(memory + kPage), rights);
  FILE* const file = fopen("/proc/self/maps", "re");
  EXPECT(file != NULL);
  int found = 0;
  while (fgets(line, sizeof(line), file) != NULL) {
    found |= strncmp(line, expected, strlen(expected)) == 0;
  }
  fclose(file);
  return found;
}

CASE(proc_maps_mentions_mappings) {
  char* const memory = map_private(3 * kPage) + kPage;
  EXPECT_OK(mprotect(memory, kPage, PROT_READ)); /* so that it is a line of its own */
  EXPECT(maps_mention(memory, "r--p"));
  EXPECT_OK(mprotect(memory, kPage, PROT_NONE));
  EXPECT(maps_mention(memory, "---p"));
  EXPECT_OK(munmap(memory, kPage));
  EXPECT(!maps_mention(memory, "---p"));
  EXPECT(mmap(memory, kPage, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory);
  EXPECT(maps_mention(memory, "r--s"));
}

CASE(address_space_limit_is_enomem) {
  const size_t large = (size_t)1 << 32;
  const pid_t pid = child_start();
  if (pid == 0) {
    const struct rlimit limit = {large, large};
    EXPECT_OK(setrlimit(RLIMIT_AS, &limit));
    EXPECT_ERR((long)mmap(NULL, large, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    EXPECT_ERR((long)mmap(NULL, large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), ENOMEM);
    char* const memory = map_private(kPage);
    EXPECT_ERR((long)mremap(memory, kPage, large, MREMAP_MAYMOVE), ENOMEM);
    EXPECT(malloc(large) == NULL && errno == ENOMEM);
    free(malloc(1000));
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(large_reservations_cost_nothing) {
  const size_t size = (size_t)64 << 30;
  char* const reserved = map(size, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
  EXPECT_OK(mprotect(reserved + size / 2, kPage, PROT_READ | PROT_WRITE));
  reserved[size / 2] = 7;
  EXPECT_EQ(access_signal(reserved, 0), SIGSEGV);
  EXPECT_OK(munmap(reserved, size));
  char* const lazily = map(size / 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
  lazily[size / 32] = 7;
  EXPECT_EQ(lazily[size / 32 + kPage], 0);
}

CASE(grown_and_aligned_as_runtimes_do) {
  /* An aligned arena is cut out of a larger reservation, as Go, V8 and the JVM do it. */
  const size_t arena = (size_t)4 << 20;
  char* const reserved = map(2 * arena, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
  char* const aligned = (char*)(((uintptr_t)reserved + arena - 1) & ~(arena - 1));
  if (aligned != reserved) {
    EXPECT_OK(munmap(reserved, (size_t)(aligned - reserved)));
  }
  EXPECT_OK(munmap(aligned + arena, (size_t)(reserved + 2 * arena - (aligned + arena))));
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  EXPECT(mmap(aligned, arena / 2, PROT_READ | PROT_WRITE, flags, -1, 0) == aligned);
  memset(aligned, 7, arena / 2);
  EXPECT_EQ(access_signal(aligned + arena / 2, 0), SIGSEGV);
  EXPECT(mmap(aligned, arena / 2, PROT_NONE, flags, -1, 0) == aligned);
  EXPECT_EQ(access_signal(aligned, 0), SIGSEGV);
}

CASE(thousands_of_mappings) {
  enum { kCount = 4000 };
  char* const memory = map(2 * kCount * (size_t)kPage, PROT_NONE, MAP_PRIVATE);
  for (size_t i = 0; i < kCount; ++i) { /* every other page, so that none can be joined */
    EXPECT_OK(mprotect(memory + 2 * i * kPage, kPage, PROT_READ | PROT_WRITE));
    memory[2 * i * kPage] = (char)i;
  }
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(memory[2 * i * kPage], (char)i);
  }
  EXPECT_OK(munmap(memory, 2 * kCount * (size_t)kPage));
}

CASE(mlock_and_munlock) {
  char* const memory = map_private(2 * kPage);
  EXPECT_OK(mlock(memory, 2 * kPage));
  EXPECT_OK(munlock(memory, 2 * kPage));
  EXPECT_OK(munmap(memory + kPage, kPage));
  EXPECT_ERR(mlock(memory, 2 * kPage), ENOMEM);
}

CASE(kernel_half_cannot_be_mapped) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  EXPECT_ERR((long)mmap((void*)0xffff800000000000, kPage, PROT_READ, flags, -1, 0), ENOMEM);
  EXPECT_ERR(munmap((void*)0xffff800000000000, kPage), EINVAL);
  EXPECT_ERR(mprotect((void*)0xffff800000000000, kPage, PROT_READ), ENOMEM);
}

static void* map_and_unmap(void* unused) {
  (void)unused;
  for (int i = 0; i < 300; ++i) {
    char* const memory = map_private(4 * kPage);
    memory[2 * kPage] = 1;
    EXPECT_OK(mprotect(memory, kPage, PROT_NONE));
    EXPECT_OK(munmap(memory, 4 * kPage));
  }
  return NULL;
}

CASE(mappings_from_several_threads) {
  pthread_t threads[4];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(map_and_unmap, NULL);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}
