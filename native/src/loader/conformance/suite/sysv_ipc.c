/* SPDX-License-Identifier: Apache-2.0 */
/* System V message queues and semaphores: those that wait must hold up nobody else. */
#include "suite.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

struct message {
  long type;
  char text[8];
};

static int queue(void) {
  const int id = msgget(IPC_PRIVATE, 0600);
  EXPECT_OK(id);
  return id;
}

static int semaphore(void) {
  const int id = semget(IPC_PRIVATE, 1, 0600);
  EXPECT_OK(id);
  return id;
}

static int change(int id, int by, int flags) {
  struct sembuf operation = {0, (short)by, (short)flags};
  return semop(id, &operation, 1);
}

static void* send_later(void* id) {
  struct message message = {2, "text"};
  EXPECT_OK(msgsnd(*(int*)id, &message, sizeof(message.text), 0));
  return NULL;
}

CASE(receiver_waits_for_a_thread) {
  int id = queue();
  struct message message = {0};
  const pthread_t thread = thread_start(send_later, &id);
  EXPECT_EQ(msgrcv(id, &message, sizeof(message.text), 2, 0), sizeof(message.text));
  EXPECT_EQ(message.type, 2);
  EXPECT_BYTES(message.text, "text");
  thread_join(thread);
  EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

CASE(receiver_waits_for_a_process) {
  int id = queue();
  struct message message = {0};
  const pid_t child = child_start();
  if (child == 0) {
    send_later(&id);
    _exit(0);
  }
  EXPECT_EQ(msgrcv(id, &message, sizeof(message.text), 0, 0), sizeof(message.text));
  EXPECT_EQ(child_result(child), 0);
  EXPECT_ERR(msgrcv(id, &message, sizeof(message.text), 0, IPC_NOWAIT), ENOMSG);
  EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

CASE(waits_are_interrupted_even_with_sa_restart) {
  struct message message = {0};
  install(SIGALRM, count_signal, SA_RESTART);
  tick_every_us(2000);
  const int id = queue();
  EXPECT_ERR(msgrcv(id, &message, sizeof(message.text), 0, 0), EINTR);
  const int semaphores = semaphore();
  EXPECT_ERR(change(semaphores, -1, 0), EINTR);
  tick_every_us(0);
  EXPECT_OK(msgctl(id, IPC_RMID, NULL));
  EXPECT_OK(semctl(semaphores, 0, IPC_RMID));
}

CASE(removal_ends_a_wait) {
  const int id = queue();
  struct message message = {0};
  const pid_t child = child_start();
  if (child == 0) {
    EXPECT_OK(msgctl(id, IPC_RMID, NULL));
    _exit(0);
  }
  EXPECT_EQ(msgrcv(id, &message, sizeof(message.text), 0, 0), -1);
  EXPECT(errno == EIDRM || errno == EINVAL);
  EXPECT_EQ(child_result(child), 0);
}

static void* raise_later(void* id) {
  EXPECT_OK(change(*(int*)id, 2, 0));
  return NULL;
}

CASE(semaphore_waits) {
  int id = semaphore();
  EXPECT_ERR(change(id, -1, IPC_NOWAIT), EAGAIN);
  const pthread_t thread = thread_start(raise_later, &id);
  EXPECT_OK(change(id, -2, 0));
  thread_join(thread);
  EXPECT_EQ(semctl(id, 0, GETVAL), 0);
  EXPECT_OK(change(id, 0, 0));
  EXPECT_OK(semctl(id, 0, IPC_RMID));
}

CASE(semtimedop_times_out) {
  const int id = semaphore();
  struct sembuf operation = {0, -1, 0};
  struct timespec timeout = {0, 20000000};
  const int64_t begin_ns = now_ns(CLOCK_MONOTONIC);
  EXPECT_ERR(semtimedop(id, &operation, 1, &timeout), EAGAIN);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - begin_ns, 20000000);
  timeout.tv_nsec = 1000000000;
  EXPECT_ERR(semtimedop(id, &operation, 1, &timeout), EINVAL);
  EXPECT_ERR(semop(id, &operation, 501), E2BIG);
  EXPECT_OK(semctl(id, 0, IPC_RMID));
}

CASE(undo_at_exit) {
  const int id = semaphore();
  EXPECT_OK(change(id, 1, 0));
  const pid_t child = child_start();
  if (child == 0) {
    EXPECT_OK(change(id, -1, SEM_UNDO));
    _exit(0);
  }
  EXPECT_EQ(child_result(child), 0);
  EXPECT_OK(change(id, -1, 0));
  EXPECT_OK(semctl(id, 0, IPC_RMID));
}
