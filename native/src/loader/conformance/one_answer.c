/* SPDX-License-Identifier: Apache-2.0 */
/* Listens on the given port, answers one connection, closes the listener, and waits for its standard input to end. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

int main(int argc, char** argv) {
  const int listener = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0))};
  MUST(bind(listener, (struct sockaddr*)&address, sizeof(address)) == 0 && listen(listener, 5) == 0);
  const int connection = accept(listener, NULL, NULL);
  MUST(connection >= 0 && write(connection, "answer", 6) == 6);
  close(connection);
  close(listener);
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}
