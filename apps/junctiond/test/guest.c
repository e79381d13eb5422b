// SPDX-License-Identifier: Apache-2.0
// A guest for tests: an ordinary static program. `guest` serves HTTP on $PORT (8080); `guest silent` says something and never
// listens; `guest crash` says something and exits with 3. Paths while it serves:
//   /env/NAME /secret/NAME /ids   answer an environment variable, a secret's content, "uid gid pid"
//   /print/TEXT                   prints TEXT
//   /alloc/MIB                    touches so much memory
//   /exit/CODE /close             exits; closes the listening socket and sleeps then
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void OnTerminate(int signal) {
  (void)signal;
  _exit(0);
}

static int has_closed;

static void Answer(const char* path, char* text, size_t size, int listener) {
  const char* rest = strchr(path + 1, '/');
  rest = rest == NULL ? "" : rest + 1;
  text[0] = '\0';
  if (strncmp(path, "/env/", 5) == 0) {
    const char* value = getenv(rest);
    snprintf(text, size, "%s", value == NULL ? "(unset)" : value);
  } else if (strncmp(path, "/secret/", 8) == 0) {
    char name[256];
    snprintf(name, sizeof name, "/var/openfaas/secrets/%s", rest);
    FILE* file = fopen(name, "r");
    if (file == NULL) {
      snprintf(text, size, "(none)");
    } else {
      text[fread(text, 1, size - 1, file)] = '\0';
      fclose(file);
    }
  } else if (strcmp(path, "/ids") == 0) {
    snprintf(text, size, "%d %d %d", (int)getuid(), (int)getgid(), (int)getpid());
  } else if (strncmp(path, "/print/", 7) == 0) {
    printf("%s\n", rest);
  } else if (strncmp(path, "/alloc/", 7) == 0) {
    size_t bytes = (size_t)atoi(rest) << 20;
    volatile char* memory = malloc(bytes);
    for (size_t at = 0; memory != NULL && at < bytes; at += 4096) memory[at] = 1;
  } else if (strncmp(path, "/exit/", 6) == 0) {
    _exit(atoi(rest));
  } else if (strcmp(path, "/close") == 0) {
    close(listener);
    has_closed = 1;
  }
}

int main(int argc, char** argv) {
  signal(SIGTERM, OnTerminate);
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1 && strcmp(argv[1], "silent") == 0) {
    printf("not listening\n");
    for (;;) pause();
  }
  if (argc > 1 && strcmp(argv[1], "crash") == 0) {
    fprintf(stderr, "cannot find my configuration\n");
    return 3;
  }
  const char* port = getenv("PORT");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port == NULL ? "8080" : port))};
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 64) != 0) {
    perror("listen");
    return 1;
  }
  printf("serving\n");
  for (;;) {
    while (has_closed) pause();
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) return 1;
    char request[4096];
    ssize_t length = read(connection, request, sizeof request - 1);
    if (length > 0) {
      request[length] = '\0';
      char path[2048] = "/";
      sscanf(request, "%*s %2047s", path);
      static char text[65536];
      Answer(path, text, sizeof text, listener);
      dprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(text), text);
    }
    close(connection);
  }
}
