// A library for LD_PRELOAD between a program and its files: it logs, fails, cuts short or interrupts one of the calls
// that touch a folder, or lets the disk be full. README.md beside it says which variables it reads.
//
// Calls are made with syscall(2), so the C library's own inner calls pass by; mkdtemp and opendir, which make such, are
// wrapped whole. Only rank FAULTS_RANK is touched where that is set.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define FILES 65536

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *record;
static size_t folderLength;
static int logFile = -1, action, isKill, isShort;
static long at, now, budget = -1;
// The paths of open files in the folder, by descriptor.
static char *opened[FILES];
static char isRead[FILES];

static const struct { const char *name; int code; } codes[] = {
  {"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR}, {"EFBIG", EFBIG},
};

__attribute__((constructor)) static void begin(void) {
  const char *rank = getenv("FAULTS_RANK"), *own = getenv("OMPI_COMM_WORLD_RANK"), *text;
  char program[PATH_MAX] = "";
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  if (!(folder = getenv("FAULTS_FOLDER")) || length < 9 || strcmp(program + length - 9, "imagelora") != 0 ||
      (rank && own && strcmp(rank, own) != 0)) {
    folder = NULL;
    return;
  }
  folderLength = strlen(folder);
  record = getenv("FAULTS_RECORD");
  if ((text = getenv("FAULTS_LOG")))
    logFile = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if ((text = getenv("FAULTS_AT"))) at = atol(text);
  if ((text = getenv("FAULTS_BUDGET"))) budget = atol(text);
  if ((text = getenv("FAULTS_DO"))) {
    isKill = !strcmp(text, "KILL");
    isShort = !strcmp(text, "SHORT");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
      if (!strcmp(text, codes[i].name)) action = codes[i].code;
  }
}

// The absolute path if it lies in the folder, to be freed; NULL otherwise.
static char *inside(int directory, const char *path) {
  char base[PATH_MAX] = "", *whole = NULL;
  if (!folder || !path) return NULL;
  if (path[0] != '/') {
    if (directory == AT_FDCWD) {
      if (syscall(SYS_getcwd, base, sizeof base) < 0) return NULL;
    } else {
      if (directory < 0 || directory >= FILES || !opened[directory]) return NULL;
      snprintf(base, sizeof base, "%s", opened[directory]);
    }
    if (asprintf(&whole, "%s/%s", base, path) < 0) return NULL;
  } else if (!(whole = strdup(path))) {
    return NULL;
  }
  // The folder itself and everything whose path begins with its name: out, out.partial, out/file.
  if (strncmp(whole, folder, folderLength) == 0) return whole;
  free(whole);
  return NULL;
}

static const char *named(int descriptor) {
  return folder && descriptor >= 0 && descriptor < FILES ? opened[descriptor] : NULL;
}

// Counts a call; returns what it is to fail with, -1 for a write that is to be cut short, 0 for nothing.
static int counted(const char *call, const char *path, const char *other, long offset, long length, long *number) {
  char line[2 * PATH_MAX + 200];
  pthread_mutex_lock(&mutex);
  *number = ++now;
  int size = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\t%ld\t%ld\n", now, call, path, other, offset, length);
  if (logFile >= 0 && syscall(SYS_write, logFile, line, (size_t)size) < 0) abort();
  int isNow = at && now == at;
  pthread_mutex_unlock(&mutex);
  if (!isNow) return 0;
  if (isKill) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
  }
  return isShort ? -1 : action;
}

// The result of a call, logged as a line of its own: number, =, result.
static long result(long number, long value) {
  int error = errno;
  char line[64];
  int size = snprintf(line, sizeof line, "%ld\t=\t%ld\n", number, value);
  if (logFile >= 0 && syscall(SYS_write, logFile, line, (size_t)size) < 0) abort();
  errno = error;
  return value;
}

static long failed(long number, int code) {
  errno = code;
  return result(number, -1);
}

#define GUARD(call, path, other, offset, length) \
  long number = 0; \
  int fault = counted(call, path, other, offset, length, &number); \
  if (fault > 0) return failed(number, fault);

static int opening(int directory, const char *path, int flags, mode_t mode) {
  char *whole = inside(directory, path);
  if (!whole) return syscall(SYS_openat, directory, path, flags, mode);
  long number = 0;
  const char *call = flags & O_CREAT ? flags & O_TRUNC ? "create" : "open+" : flags & O_TRUNC ? "empty" :
    (flags & O_ACCMODE) == O_RDONLY ? "open" : "openw";
  int fault = counted(call, whole, "", 0, 0, &number);
  if (fault > 0) {
    free(whole);
    return failed(number, fault);
  }
  int descriptor = syscall(SYS_openat, directory, path, flags, mode);
  if (descriptor >= 0 && descriptor < FILES) {
    free(opened[descriptor]);
    opened[descriptor] = whole;
    isRead[descriptor] = (flags & O_ACCMODE) == O_RDONLY;
  } else {
    free(whole);
  }
  return result(number, descriptor);
}

#define MODE \
  mode_t mode = 0; \
  if (flags & (O_CREAT | __O_TMPFILE)) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = va_arg(rest, mode_t); \
    va_end(rest); \
  }
int open(const char *path, int flags, ...) { MODE return opening(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opening(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char *path, int flags, ...) { MODE return opening(directory, path, flags, mode); }
int openat64(int directory, const char *path, int flags, ...) { MODE return opening(directory, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opening(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int descriptor) {
  char *path = (char *)named(descriptor);
  if (!path) return syscall(SYS_close, descriptor);
  opened[descriptor] = NULL;
  long number = 0;
  int fault = counted(isRead[descriptor] ? "close-read" : "close", path, "", 0, 0, &number);
  free(path);
  // The descriptor is gone whatever close says, as on Linux.
  int value = syscall(SYS_close, descriptor);
  return fault > 0 ? failed(number, fault) : result(number, value);
}

static ssize_t written(int descriptor, const void *bytes, size_t count, off_t offset, int isAt) {
  if (isAt) return syscall(SYS_pwrite64, descriptor, bytes, count, offset);
  return syscall(SYS_write, descriptor, bytes, count);
}

static ssize_t writing(int descriptor, const void *bytes, size_t count, off_t offset, int isAt) {
  const char *path = named(descriptor);
  if (!path) return written(descriptor, bytes, count, offset, isAt);
  if (!isAt) {
    struct stat status;
    int flags = syscall(SYS_fcntl, descriptor, F_GETFL);
    int atEnd = flags & O_APPEND && !syscall(SYS_fstat, descriptor, &status);
    offset = atEnd ? status.st_size : syscall(SYS_lseek, descriptor, 0, SEEK_CUR);
  }
  GUARD("write", path, "", offset, count)
  if (fault < 0) count = (count + 1) / 2;
  if (budget >= 0) {
    if (count && !budget) return failed(number, ENOSPC);
    if ((long)count > budget) count = budget;
    budget -= count;
  }
  if (record) {
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s/%ld", record, number);
    int copy = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (copy < 0 || syscall(SYS_write, copy, bytes, count) != (long)count || syscall(SYS_close, copy)) abort();
  }
  return result(number, written(descriptor, bytes, count, offset, isAt));
}
ssize_t write(int descriptor, const void *bytes, size_t count) { return writing(descriptor, bytes, count, 0, 0); }
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  return writing(descriptor, bytes, count, offset, 1);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) {
  return writing(descriptor, bytes, count, offset, 1);
}

static ssize_t taken(int descriptor, void *bytes, size_t count, off_t offset, int isAt) {
  if (isAt) return syscall(SYS_pread64, descriptor, bytes, count, offset);
  return syscall(SYS_read, descriptor, bytes, count);
}

static ssize_t reading(int descriptor, void *bytes, size_t count, off_t offset, int isAt) {
  const char *path = named(descriptor);
  if (!path) return taken(descriptor, bytes, count, offset, isAt);
  GUARD("read", path, "", offset, count)
  return result(number, taken(descriptor, bytes, count, offset, isAt));
}
ssize_t read(int descriptor, void *bytes, size_t count) { return reading(descriptor, bytes, count, 0, 0); }
ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) {
  return reading(descriptor, bytes, count, offset, 1);
}
ssize_t pread64(int descriptor, void *bytes, size_t count, off_t offset) {
  return reading(descriptor, bytes, count, offset, 1);
}

// Calls on an open file.
#define ON_FILE(name, call, parameters, length, real) \
  int name parameters { \
    const char *path = named(descriptor); \
    if (!path) return real; \
    GUARD(call, path, "", 0, length) \
    return result(number, real); \
  }
ON_FILE(fsync, "fsync", (int descriptor), 0, syscall(SYS_fsync, descriptor))
ON_FILE(fdatasync, "fsync", (int descriptor), 0, syscall(SYS_fdatasync, descriptor))
ON_FILE(ftruncate, "truncate", (int descriptor, off_t length), length, syscall(SYS_ftruncate, descriptor, length))
ON_FILE(ftruncate64, "truncate", (int descriptor, off_t length), length, syscall(SYS_ftruncate, descriptor, length))
ON_FILE(flock, "flock", (int descriptor, int operation), 0, syscall(SYS_flock, descriptor, operation))
ON_FILE(fchmod, "chmod", (int descriptor, mode_t mode), 0, syscall(SYS_fchmod, descriptor, mode))
ON_FILE(fstat, "stat", (int descriptor, struct stat *status), 0, syscall(SYS_fstat, descriptor, status))
ON_FILE(fstat64, "stat", (int descriptor, struct stat64 *status), 0, syscall(SYS_fstat, descriptor, status))

static int controlling(int descriptor, int command, void *argument) {
  const char *path = named(descriptor);
  if (!path || (command != F_OFD_SETLK && command != F_SETLK)) return syscall(SYS_fcntl, descriptor, command, argument);
  GUARD("lock", path, "", 0, 0)
  return result(number, syscall(SYS_fcntl, descriptor, command, argument));
}
#define ARGUMENT \
  va_list rest; \
  va_start(rest, command); \
  void *argument = va_arg(rest, void *); \
  va_end(rest);
int fcntl(int descriptor, int command, ...) { ARGUMENT return controlling(descriptor, command, argument); }
int fcntl64(int descriptor, int command, ...) { ARGUMENT return controlling(descriptor, command, argument); }

// Calls on one name.
#define ON_NAME(name, call, parameters, directory, real) \
  int name parameters { \
    char whole[PATH_MAX], *found = inside(directory, path); \
    if (!found) return real; \
    snprintf(whole, sizeof whole, "%s", found); \
    free(found); \
    GUARD(call, whole, "", 0, 0) \
    return result(number, real); \
  }
ON_NAME(unlink, "unlink", (const char *path), AT_FDCWD, syscall(SYS_unlinkat, AT_FDCWD, path, 0))
ON_NAME(unlinkat, "unlink", (int at, const char *path, int flags), at, syscall(SYS_unlinkat, at, path, flags))
ON_NAME(rmdir, "unlink", (const char *path), AT_FDCWD, syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR))
ON_NAME(mkdir, "mkdir", (const char *path, mode_t mode), AT_FDCWD, syscall(SYS_mkdirat, AT_FDCWD, path, mode))
ON_NAME(mkdirat, "mkdir", (int at, const char *path, mode_t mode), at, syscall(SYS_mkdirat, at, path, mode))
ON_NAME(chmod, "chmod", (const char *path, mode_t mode), AT_FDCWD, syscall(SYS_fchmodat, AT_FDCWD, path, mode))
#define STATE(flags) syscall(SYS_newfstatat, AT_FDCWD, path, status, flags)
ON_NAME(stat, "stat", (const char *path, struct stat *status), AT_FDCWD, STATE(0))
ON_NAME(lstat, "stat", (const char *path, struct stat *status), AT_FDCWD, STATE(AT_SYMLINK_NOFOLLOW))
ON_NAME(stat64, "stat", (const char *path, struct stat64 *status), AT_FDCWD, STATE(0))
ON_NAME(lstat64, "stat", (const char *path, struct stat64 *status), AT_FDCWD, STATE(AT_SYMLINK_NOFOLLOW))
ON_NAME(access, "access", (const char *path, int mode), AT_FDCWD, syscall(SYS_faccessat, AT_FDCWD, path, mode))

// Calls on two names.
#define ON_NAMES(name, call, parameters, one, two, from, to, real) \
  int name parameters { \
    char first[PATH_MAX] = "", second[PATH_MAX], *found = inside(two, to), *source = inside(one, from); \
    if (!found) { \
      free(source); \
      return real; \
    } \
    snprintf(second, sizeof second, "%s", found); \
    snprintf(first, sizeof first, "%s", source ? source : from); \
    free(found); \
    free(source); \
    GUARD(call, second, first, 0, 0) \
    return result(number, real); \
  }
ON_NAMES(rename, "rename", (const char *from, const char *to), AT_FDCWD, AT_FDCWD, from, to,
         syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0))
ON_NAMES(renameat, "rename", (int one, const char *from, int two, const char *to), one, two, from, to,
         syscall(SYS_renameat2, one, from, two, to, 0))
ON_NAMES(renameat2, "rename", (int one, const char *from, int two, const char *to, unsigned flags), one, two, from, to,
         syscall(SYS_renameat2, one, from, two, to, flags))
ON_NAMES(link, "link", (const char *from, const char *to), AT_FDCWD, AT_FDCWD, from, to,
         syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0))

// The target of a symbolic link is a text, not a path to look at.
int symlink(const char *target, const char *path) {
  char whole[PATH_MAX], *found = inside(AT_FDCWD, path);
  if (!found) return syscall(SYS_symlinkat, target, AT_FDCWD, path);
  snprintf(whole, sizeof whole, "%s", found);
  free(found);
  GUARD("symlink", whole, target, 0, 0)
  return result(number, syscall(SYS_symlinkat, target, AT_FDCWD, path));
}

// Made here, since the name that the C library will choose cannot be logged before the call.
char *mkdtemp(char *template) {
  static char *(*real)(char *);
  if (!real) real = (char *(*)(char *))dlsym(RTLD_NEXT, "mkdtemp");
  char *found = inside(AT_FDCWD, template);
  if (!found) return real(template);
  free(found);
  unsigned char chance[6];
  if (syscall(SYS_getrandom, chance, sizeof chance, 0) != sizeof chance) abort();
  char *end = template + strlen(template) - sizeof chance;
  for (size_t i = 0; i < sizeof chance; i++) end[i] = "abcdefghijklmnopqrstuvwxyz012345"[chance[i] & 31];
  return mkdir(template, 0700) ? NULL : template;
}

DIR *opendir(const char *path) {
  static DIR *(*real)(const char *);
  if (!real) real = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
  char *whole = inside(AT_FDCWD, path);
  if (!whole) return real(path);
  long number = 0;
  int fault = counted("list", whole, "", 0, 0, &number);
  free(whole);
  if (fault > 0) {
    failed(number, fault);
    return NULL;
  }
  DIR *list = real(path);
  result(number, list ? 0 : -1);
  return list;
}

// The name of the host, for two starts that pretend to be on different ones.
int gethostname(char *name, size_t length) {
  static int (*real)(char *, size_t);
  const char *other = getenv("FAULTS_HOST");
  if (!real) real = (int (*)(char *, size_t))dlsym(RTLD_NEXT, "gethostname");
  if (!other) return real(name, length);
  snprintf(name, length, "%s", other);
  return 0;
}
