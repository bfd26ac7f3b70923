/* System V shared memory, semaphores and message queues: ids, keys, modes and contents. */
#include "victim.h"
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
VICTIM(sysv_objects)

static int segment, nameless, semaphores, queue;
static char *memory, *hidden;
struct message { long type; char text[16]; };

static void setup(void) {
  segment = MUST(shmget(0x1234, 100000, IPC_CREAT | 0640));
  memory = shmat(segment, NULL, 0);
  paint(memory, 100000, 3);
  nameless = MUST(shmget(IPC_PRIVATE, 8192, 0600));
  hidden = shmat(nameless, NULL, 0);
  paint(hidden, 8192, 4);
  MUST(shmctl(nameless, IPC_RMID, NULL));
  semaphores = MUST(semget(0x55, 3, IPC_CREAT | 0600));
  for (int i = 0; i < 3; i++) MUST(semctl(semaphores, i, SETVAL, 7 + i));
  queue = MUST(msgget(0x66, IPC_CREAT | 0600));
  struct message one = {5, "first"}, two = {3, "second"};
  MUST(msgsnd(queue, &one, 6, 0));
  MUST(msgsnd(queue, &two, 7, 0));
}

static const char *check(void) {
  struct shmid_ds status;
  struct message got;
  EXPECT(painted(memory, 100000, 3) && painted(hidden, 8192, 4));
  EXPECT_EQUAL(shmget(0x1234, 0, 0), segment);
  EXPECT_EQUAL(shmctl(segment, IPC_STAT, &status), 0);
  EXPECT_EQUAL(status.shm_perm.mode & 0777, 0640);
  EXPECT_EQUAL(status.shm_nattch, 1);
  EXPECT_EQUAL(semget(0x55, 0, 0), semaphores);
  for (int i = 0; i < 3; i++) EXPECT_EQUAL(semctl(semaphores, i, GETVAL), 7 + i);
  EXPECT_EQUAL(msgget(0x66, 0), queue);
  EXPECT_EQUAL(msgrcv(queue, &got, 16, 0, IPC_NOWAIT), 6);
  EXPECT_EQUAL(got.type, 5);
  EXPECT_EQUAL(msgrcv(queue, &got, 16, 3, IPC_NOWAIT), 7);
  EXPECT(strcmp(got.text, "second") == 0);
  struct message one = {5, "first"}, two = {3, "second"};
  EXPECT_EQUAL(msgsnd(queue, &one, 6, 0), 0);
  EXPECT_EQUAL(msgsnd(queue, &two, 7, 0), 0);
  return NULL;
}
