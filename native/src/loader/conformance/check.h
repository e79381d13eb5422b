/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the conformance programs. They print what they see; the same program's output on Linux is the standard. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program when something that has no business failing failed. */
#define MUST(expression)                                                          \
  do {                                                                            \
    if (!(expression)) {                                                          \
      printf("line %d: %s: %s\n", __LINE__, #expression, strerrorname_np(errno)); \
      exit(1);                                                                    \
    }                                                                             \
  } while (0)

/* Prints a call's result, and the name of its error. */
#define SHOW(expression)                                                                                  \
  do {                                                                                                    \
    errno = 0;                                                                                            \
    const long shown_result = (long)(expression);                                                         \
    printf("%s = %ld %s\n", #expression, shown_result, shown_result == -1 ? strerrorname_np(errno) : ""); \
  } while (0)
