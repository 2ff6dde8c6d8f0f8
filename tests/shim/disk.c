/* A disk that forgets: loaded below postfachd by LD_PRELOAD, it writes down everything that changes files and folders
 * below one folder, and what was flushed when. Tests rebuild from that what would be left after a power cut, which a
 * killed process alone does not show: the kernel keeps its pages. It can also fail on demand, as a full or broken disk.
 *
 *   POSTFACH_SHIM_FOLDER        what is watched, an absolute path without symbolic links
 *   POSTFACH_SHIM_TRACE         file that the trace is appended to, outside the folder
 *   POSTFACH_SHIM_CONTROL       file of `struct control`, changed by the test while the server runs; may be absent
 *   POSTFACH_SHIM_IGNORE_FSYNC  1: a flush does nothing and says that it did
 *
 * Nothing is really flushed: the trace is the disk. Files that end in -shm are SQLite's shared memory and not watched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, RENAME, UNLINK, LINK, MKDIR, SYNC_BEGIN, SYNC_END };

struct record { uint32_t kind, len1, len2, zero; uint64_t inode, number; };

/* `error`: an error number, 0 for none, -1 to wait for ever. `skip`: how often it goes well first. `left`: how often it
 * goes wrong, negative for always. `space`: bytes that may still be written, negative for any. */
struct fault { volatile int32_t error, left, skip; };
struct control { volatile int64_t space; struct fault write, sync, sync_folder, name; };

static pthread_mutex_t big = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char folder[PATH_MAX];
static size_t folder_len;
static int trace = -1, ignore_sync;
static struct control *control;
static uint64_t syncs;

static void set_up(void) {
  const char *f = getenv("POSTFACH_SHIM_FOLDER"), *t = getenv("POSTFACH_SHIM_TRACE"), *c = getenv("POSTFACH_SHIM_CONTROL");
  if (!f || !t) return;
  snprintf(folder, sizeof folder, "%s", f);
  folder_len = strlen(folder);
  ignore_sync = getenv("POSTFACH_SHIM_IGNORE_FSYNC") != NULL;
  trace = (int)syscall(SYS_openat, AT_FDCWD, t, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (trace < 0) abort();
  if (c) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, c, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED) abort();
    syscall(SYS_close, fd);
  }
}

#define REAL(type, name, ...)                                              \
  static type (*real)(__VA_ARGS__);                                        \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, name);                     \
  pthread_once(&once, set_up)

/* True for a path below the folder that is watched. */
static int watched(const char *path) {
  size_t len = strlen(path);
  if (trace < 0 || strncmp(path, folder, folder_len) != 0) return 0;
  if (path[folder_len] != '/' && path[folder_len] != 0) return 0;
  return len < 4 || strcmp(path + len - 4, "-shm") != 0;
}

static int absolute(int at, const char *path, char *out) {
  char link[64], base[PATH_MAX];
  ssize_t len;
  if (trace < 0) return 0;
  if (path[0] == '/') return snprintf(out, PATH_MAX, "%s", path) < PATH_MAX && watched(out);
  if (at == AT_FDCWD) {
    if (!getcwd(base, sizeof base)) return 0;
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    len = readlink(link, base, sizeof base - 1);
    if (len < 0) return 0;
    base[len] = 0;
  }
  if (strlen(base) + strlen(path) + 2 > PATH_MAX) return 0;
  strcpy(out, base);
  strcat(out, "/");
  strcat(out, path);
  return watched(out);
}

/* The inode of a watched file or folder that is open; 0 for anything else. */
static uint64_t inode_of(int fd) {
  char link[64], path[PATH_MAX];
  struct stat meta;
  ssize_t len;
  int kept = errno, found = 0;
  if (trace < 0 || fd == trace) return 0;
  if (fstat(fd, &meta) == 0 && (S_ISREG(meta.st_mode) || S_ISDIR(meta.st_mode))) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof path - 1);
    if (len > 0) {
      path[len] = 0;
      found = watched(path);
    }
  }
  errno = kept;
  return found ? meta.st_ino : 0;
}

static void put(const void *data, size_t len) {
  const char *from = data;
  while (len > 0) {
    long done = syscall(SYS_write, trace, from, len);
    if (done < 0) {
      if (errno == EINTR) continue;
      abort();
    }
    from += done;
    len -= (size_t)done;
  }
}

static void note(uint32_t kind, uint64_t inode, uint64_t number, const void *one, size_t len1, const void *two, size_t len2) {
  struct record record = { kind, (uint32_t)len1, (uint32_t)len2, 0, inode, number };
  int kept = errno;
  put(&record, sizeof record);
  put(one, len1);
  put(two, len2);
  errno = kept;
}

static void note_path(uint32_t kind, uint64_t inode, const char *path, const char *other) {
  note(kind, inode, 0, path, strlen(path), other, other ? strlen(other) : 0);
}

/* True where the test wants this to fail; errno says how. */
static int fails(struct fault *fault) {
  if (!control || !fault->error || fault->left == 0) return 0;
  if (fault->skip > 0) {
    fault->skip--;
    return 0;
  }
  if (fault->left > 0) fault->left--;
  errno = fault->error;
  return 1;
}

/* How much of a write there is room for; -1 where nothing is. */
static ssize_t room(size_t len) {
  if (!control) return (ssize_t)len;
  if (fails(&control->write)) return -1;
  if (control->space < 0) return (ssize_t)len;
  if (control->space == 0 && len > 0) {
    errno = ENOSPC;
    return -1;
  }
  if ((int64_t)len > control->space) len = (size_t)control->space;
  control->space -= (int64_t)len;
  return (ssize_t)len;
}

/* What was just written, read back from the file. */
static void note_range(int fd, uint64_t inode, off_t from, size_t len) {
  int kept = errno;
  char *copy = malloc(len ? len : 1);
  char link[64];
  int again;
  size_t done = 0;
  if (!copy) abort();
  /* The descriptor may be open for writing only. */
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  again = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC);
  if (again < 0) abort();
  while (done < len) {
    long got = syscall(SYS_pread64, again, copy + done, len - done, from + (off_t)done);
    if (got <= 0) break;
    done += (size_t)got;
  }
  syscall(SYS_close, again);
  note(WRITE, inode, (uint64_t)from, copy, done, NULL, 0);
  free(copy);
  errno = kept;
}

static off_t position(int fd) {
  int kept = errno;
  off_t at = lseek(fd, 0, SEEK_CUR);
  errno = kept;
  return at;
}

/* Opening and creating. */
static int do_open(int at, const char *path, int flags, mode_t mode) {
  char full[PATH_MAX];
  struct stat meta;
  int mine = absolute(at, path, full), there, fd;
  int changes = flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR);
  if (!mine || !changes) return (int)syscall(SYS_openat, at, path, flags | O_LARGEFILE, mode);
  pthread_mutex_lock(&big);
  there = stat(full, &meta) == 0;
  /* A full disk has no room for a name; one that is read-only lets nobody open for writing. */
  if (control && ((!there && (flags & O_CREAT)) || control->name.error == EROFS) && fails(&control->name)) {
    pthread_mutex_unlock(&big);
    return -1;
  }
  fd = (int)syscall(SYS_openat, at, path, flags | O_LARGEFILE, mode);
  if (fd >= 0 && fstat(fd, &meta) == 0 && S_ISREG(meta.st_mode)) {
    if (!there && (flags & O_CREAT)) note_path(CREATE, meta.st_ino, full, NULL);
    else if (flags & O_TRUNC) note(TRUNCATE, meta.st_ino, 0, NULL, 0, NULL, 0);
  }
  pthread_mutex_unlock(&big);
  return fd;
}

#define MODE(flags)                                  \
  mode_t mode = 0;                                   \
  if ((flags) & (O_CREAT | O_TMPFILE)) {             \
    va_list args;                                    \
    va_start(args, flags);                           \
    mode = va_arg(args, mode_t);                     \
    va_end(args);                                    \
  }                                                  \
  pthread_once(&once, set_up)

int open(const char *path, int flags, ...) { MODE(flags); return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags); return do_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags); return do_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags); return do_open(at, path, flags, mode); }
int __open_2(const char *path, int flags) { pthread_once(&once, set_up); return do_open(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { pthread_once(&once, set_up); return do_open(AT_FDCWD, path, flags, 0); }
int __openat_2(int at, const char *path, int flags) { pthread_once(&once, set_up); return do_open(at, path, flags, 0); }
int __openat64_2(int at, const char *path, int flags) { pthread_once(&once, set_up); return do_open(at, path, flags, 0); }

int creat(const char *path, mode_t mode) {
  pthread_once(&once, set_up);
  return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Writing. */
ssize_t write(int fd, const void *data, size_t len) {
  REAL(ssize_t, "write", int, const void *, size_t);
  uint64_t inode = inode_of(fd);
  ssize_t done;
  if (!inode) return real(fd, data, len);
  pthread_mutex_lock(&big);
  done = room(len);
  if (done >= 0) done = real(fd, data, (size_t)done);
  if (done > 0) note(WRITE, inode, (uint64_t)(position(fd) - done), data, (size_t)done, NULL, 0);
  pthread_mutex_unlock(&big);
  return done;
}

static ssize_t do_pwrite(int fd, const void *data, size_t len, off_t at) {
  uint64_t inode = inode_of(fd);
  ssize_t done;
  if (!inode) return syscall(SYS_pwrite64, fd, data, len, at);
  pthread_mutex_lock(&big);
  done = room(len);
  if (done >= 0) done = syscall(SYS_pwrite64, fd, data, (size_t)done, at);
  if (done > 0) note(WRITE, inode, (uint64_t)at, data, (size_t)done, NULL, 0);
  pthread_mutex_unlock(&big);
  return done;
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t at) { pthread_once(&once, set_up); return do_pwrite(fd, data, len, at); }
ssize_t pwrite64(int fd, const void *data, size_t len, off_t at) { pthread_once(&once, set_up); return do_pwrite(fd, data, len, at); }

static size_t total(const struct iovec *parts, int count) {
  size_t sum = 0;
  for (int i = 0; i < count; i++) sum += parts[i].iov_len;
  return sum;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  uint64_t inode = inode_of(fd);
  ssize_t done;
  if (!inode) return real(fd, parts, count);
  pthread_mutex_lock(&big);
  done = room(total(parts, count));
  if (done >= 0 && (size_t)done < total(parts, count)) { errno = ENOSPC; done = -1; }
  if (done >= 0) done = real(fd, parts, count);
  if (done > 0) note_range(fd, inode, position(fd) - done, (size_t)done);
  pthread_mutex_unlock(&big);
  return done;
}

static ssize_t do_pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  ssize_t sum = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = do_pwrite(fd, parts[i].iov_base, parts[i].iov_len, at + sum);
    if (done < 0) return sum > 0 ? sum : -1;
    sum += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return sum;
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { pthread_once(&once, set_up); return do_pwritev(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { pthread_once(&once, set_up); return do_pwritev(fd, parts, count, at); }

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned flags) {
  pthread_once(&once, set_up);
  uint64_t inode = inode_of(out);
  ssize_t done;
  if (!inode) return syscall(SYS_copy_file_range, in, from, out, to, len, flags);
  pthread_mutex_lock(&big);
  done = room(len);
  if (done >= 0) done = syscall(SYS_copy_file_range, in, from, out, to, (size_t)done, flags);
  if (done > 0) note_range(out, inode, (to ? *to : position(out)) - done, (size_t)done);
  pthread_mutex_unlock(&big);
  return done;
}

static ssize_t do_sendfile(int out, int in, off_t *from, size_t len) {
  uint64_t inode = inode_of(out);
  ssize_t done;
  if (!inode) return syscall(SYS_sendfile, out, in, from, len);
  pthread_mutex_lock(&big);
  done = room(len);
  if (done >= 0) done = syscall(SYS_sendfile, out, in, from, (size_t)done);
  if (done > 0) note_range(out, inode, position(out) - done, (size_t)done);
  pthread_mutex_unlock(&big);
  return done;
}
ssize_t sendfile(int out, int in, off_t *from, size_t len) { pthread_once(&once, set_up); return do_sendfile(out, in, from, len); }
ssize_t sendfile64(int out, int in, off64_t *from, size_t len) { pthread_once(&once, set_up); return do_sendfile(out, in, from, len); }

static int do_truncate(int fd, off_t len) {
  uint64_t inode = inode_of(fd);
  int done;
  if (!inode) return (int)syscall(SYS_ftruncate, fd, len);
  pthread_mutex_lock(&big);
  done = control && fails(&control->write) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
  if (done == 0) note(TRUNCATE, inode, (uint64_t)len, NULL, 0, NULL, 0);
  pthread_mutex_unlock(&big);
  return done;
}
int ftruncate(int fd, off_t len) { pthread_once(&once, set_up); return do_truncate(fd, len); }
int ftruncate64(int fd, off64_t len) { pthread_once(&once, set_up); return do_truncate(fd, len); }

/* Room that is only set aside makes a file longer at most. */
static int do_fallocate(int fd, int mode, off_t from, off_t len) {
  uint64_t inode = inode_of(fd);
  struct stat meta;
  int done;
  if (!inode) return (int)syscall(SYS_fallocate, fd, mode, from, len);
  pthread_mutex_lock(&big);
  done = room((size_t)len) == (ssize_t)len ? (int)syscall(SYS_fallocate, fd, mode, from, len) : -1;
  if (done == 0 && fstat(fd, &meta) == 0) note(TRUNCATE, inode, (uint64_t)meta.st_size, NULL, 0, NULL, 0);
  pthread_mutex_unlock(&big);
  return done;
}
int fallocate(int fd, int mode, off_t from, off_t len) { pthread_once(&once, set_up); return do_fallocate(fd, mode, from, len); }
int fallocate64(int fd, int mode, off64_t from, off64_t len) { pthread_once(&once, set_up); return do_fallocate(fd, mode, from, len); }
int posix_fallocate(int fd, off_t from, off_t len) { pthread_once(&once, set_up); return do_fallocate(fd, 0, from, len) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off64_t from, off64_t len) { return posix_fallocate(fd, from, len); }

/* Names. */
static int do_rename(int at, const char *from, int to_at, const char *to, unsigned flags) {
  char one[PATH_MAX], two[PATH_MAX];
  int mine = absolute(to_at, to, two) && absolute(at, from, one), done;
  if (!mine) return (int)syscall(SYS_renameat2, at, from, to_at, to, flags);
  pthread_mutex_lock(&big);
  done = control && fails(&control->name) ? -1 : (int)syscall(SYS_renameat2, at, from, to_at, to, flags);
  if (done == 0) note_path(RENAME, 0, one, two);
  pthread_mutex_unlock(&big);
  return done;
}
int rename(const char *from, const char *to) { pthread_once(&once, set_up); return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int at, const char *from, int to_at, const char *to) { pthread_once(&once, set_up); return do_rename(at, from, to_at, to, 0); }
int renameat2(int at, const char *from, int to_at, const char *to, unsigned flags) { pthread_once(&once, set_up); return do_rename(at, from, to_at, to, flags); }

static int do_unlink(int at, const char *path, int flags) {
  char full[PATH_MAX];
  int done;
  if (!absolute(at, path, full)) return (int)syscall(SYS_unlinkat, at, path, flags);
  pthread_mutex_lock(&big);
  /* A full disk takes names away; a read-only one does not. */
  done = control && control->name.error == EROFS && fails(&control->name) ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
  if (done == 0) note_path(UNLINK, 0, full, NULL);
  pthread_mutex_unlock(&big);
  return done;
}
int unlink(const char *path) { pthread_once(&once, set_up); return do_unlink(AT_FDCWD, path, 0); }
int rmdir(const char *path) { pthread_once(&once, set_up); return do_unlink(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int at, const char *path, int flags) { pthread_once(&once, set_up); return do_unlink(at, path, flags); }

static int do_link(int at, const char *from, int to_at, const char *to, int flags) {
  char full[PATH_MAX];
  struct stat meta;
  int done;
  if (!absolute(to_at, to, full)) return (int)syscall(SYS_linkat, at, from, to_at, to, flags);
  pthread_mutex_lock(&big);
  done = control && fails(&control->name) ? -1 : (int)syscall(SYS_linkat, at, from, to_at, to, flags);
  if (done == 0 && stat(full, &meta) == 0) note_path(LINK, meta.st_ino, full, NULL);
  pthread_mutex_unlock(&big);
  return done;
}
int link(const char *from, const char *to) { pthread_once(&once, set_up); return do_link(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int at, const char *from, int to_at, const char *to, int flags) { pthread_once(&once, set_up); return do_link(at, from, to_at, to, flags); }

static int do_mkdir(int at, const char *path, mode_t mode) {
  char full[PATH_MAX];
  struct stat meta;
  int done;
  if (!absolute(at, path, full)) return (int)syscall(SYS_mkdirat, at, path, mode);
  pthread_mutex_lock(&big);
  done = control && fails(&control->name) ? -1 : (int)syscall(SYS_mkdirat, at, path, mode);
  if (done == 0 && stat(full, &meta) == 0) note_path(MKDIR, meta.st_ino, full, NULL);
  pthread_mutex_unlock(&big);
  return done;
}
int mkdir(const char *path, mode_t mode) { pthread_once(&once, set_up); return do_mkdir(AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { pthread_once(&once, set_up); return do_mkdir(at, path, mode); }

/* Flushing: what was written before it began is on disk when it has ended. It takes a while, as on a real disk. */
static int do_sync(int fd, long number) {
  uint64_t inode = inode_of(fd), mine = 0;
  struct timespec pause = { 0, 0 };
  struct stat meta;
  int failed;
  if (!inode || fstat(fd, &meta) != 0) return (int)syscall(number, fd);
  pthread_mutex_lock(&big);
  failed = control && fails(S_ISDIR(meta.st_mode) ? &control->sync_folder : &control->sync);
  if (!failed && !ignore_sync) {
    mine = ++syncs;
    note(SYNC_BEGIN, inode, mine, NULL, 0, NULL, 0);
  }
  pause.tv_nsec = 100000 + (long)(syncs * 7919 % 1900) * 1000;
  pthread_mutex_unlock(&big);
  if (failed && errno == -1) for (;;) sleep(60);
  if (failed) return -1;
  syscall(SYS_nanosleep, &pause, NULL);
  if (mine) {
    pthread_mutex_lock(&big);
    note(SYNC_END, inode, mine, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&big);
  }
  return 0;
}
int fsync(int fd) { pthread_once(&once, set_up); return do_sync(fd, SYS_fsync); }
int fdatasync(int fd) { pthread_once(&once, set_up); return do_sync(fd, SYS_fdatasync); }
