// SPDX-License-Identifier: Apache-2.0
// Addon of Node.js: getppid(repetitions) makes so many calls in a C loop and answers the nanoseconds of one.
#define _GNU_SOURCE
#include <node_api.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double Now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static napi_value Getppid(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  uint32_t repetitions = 0;
  napi_value result;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_value_uint32(env, argument, &repetitions) != napi_ok || repetitions == 0) {
    napi_throw_type_error(env, NULL, "getppid(repetitions)");
    return NULL;
  }
  const double start = Now_ns();
  for (uint32_t i = 0; i < repetitions; ++i) {
    syscall(SYS_getppid);
  }
  return napi_create_double(env, (Now_ns() - start) / repetitions, &result) == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "getppid", NAPI_AUTO_LENGTH, Getppid, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "getppid", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
