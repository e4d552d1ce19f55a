/* Adds FSYNC_MORE_US microseconds to each fsync, to simulate a cloud disk. Preloaded into PostgreSQL: LD_PRELOAD=slow-fsync.so. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int then_wait(const char *name, int descriptor) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const char *more = getenv("FSYNC_MORE_US");
  int result = real(descriptor);
  if (more) usleep((useconds_t)atoi(more));
  return result;
}

int fsync(int descriptor) { return then_wait("fsync", descriptor); }
int fdatasync(int descriptor) { return then_wait("fdatasync", descriptor); }
