/* SPDX-License-Identifier: Apache-2.0 */
/* brk, mappings, threads and their stacks, TLS, dlopen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

static __thread int per_thread = 5;

static void* thread_main(void* argument) {
  char* block = malloc(10000);
  memset(block, 1, 10000);
  free(block);
  per_thread += (int)(intptr_t)argument;
  return (void*)(intptr_t)per_thread;
}

static void threads(void) {
  long sum = 0;
  for (int round = 0; round < 20; ++round) {
    pthread_t ids[20];
    for (int i = 0; i < 20; ++i) {
      MUST(pthread_create(&ids[i], NULL, thread_main, (void*)(intptr_t)i) == 0);
    }
    for (int i = 0; i < 20; ++i) {
      void* result;
      MUST(pthread_join(ids[i], &result) == 0);
      sum += (long)(intptr_t)result;
    }
  }
  printf("threads: %ld, own %d\n", sum, per_thread);
}

static void brk_area(void) {
  char* const start = sbrk(0);
  MUST(sbrk(100000) == start);
  memset(start, 7, 100000);
  MUST(sbrk(-50000) == start + 100000);
  MUST(sbrk(50000) == start + 50000);
  printf("fresh after shrinking: %d %d\n", start[49000], start[99999]);
  MUST(brk(start) == 0 && sbrk(0) == start);
  SHOW(brk((void*)8) == 0 && sbrk(0) != (void*)8 ? 0 : -1);
}

static void mappings(void) {
  char* block = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(block != MAP_FAILED);
  strcpy(block, "kept");
  char* const moved = mremap(block, 65536, 1 << 20, MREMAP_MAYMOVE);
  MUST(moved != MAP_FAILED && strcmp(moved, "kept") == 0);
  char* const fixed = mmap(moved + 65536, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  MUST(fixed == moved + 65536);
  SHOW(mprotect(moved, 4096, PROT_NONE));
  SHOW(mprotect(moved, 4096, PROT_READ | PROT_WRITE));
  SHOW(munmap(moved, 1 << 20));
  SHOW(munmap((void*)1, 4096));
  SHOW(munmap(moved, 0));
  SHOW(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  SHOW(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 99, 0) == MAP_FAILED ? -1 : 0);
}

/* Code made at run time: its `syscall` is for the net. */
static void generated_code(void) {
  static const unsigned char code[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xc3};
  unsigned char* const page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(page, code, sizeof(code));
  MUST(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
  long (*function)(void);
  memcpy(&function, &(void*){page}, sizeof(function));
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    same += function() == getppid();
  }
  printf("generated code: %d\n", same);
}

static void libraries(void) {
#ifndef NO_DLOPEN
  for (int i = 0; i < 20; ++i) {
    void* const library = dlopen("libm.so.6", RTLD_NOW);
    MUST(library != NULL);
    double (*cosine)(double);
    *(void**)&cosine = dlsym(library, "cos");
    MUST(cosine != NULL && cosine(0) == 1);
    dlclose(library);
    void* const thread_library = dlopen("libanl.so.1", RTLD_NOW);
    MUST(thread_library != NULL && dlclose(thread_library) == 0);
  }
#endif
  printf("libraries: loaded\n");
}

static void auxiliary(void) {
  printf("page %lu secure %lu random %d vdso %d name %d\n", getauxval(AT_PAGESZ), getauxval(AT_SECURE),
         getauxval(AT_RANDOM) != 0, getauxval(AT_SYSINFO_EHDR) != 0, getauxval(AT_EXECFN) != 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  auxiliary();
  brk_area();
  mappings();
  threads();
  generated_code();
  libraries();
  return 0;
}
