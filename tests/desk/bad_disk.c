/* A disk that fails, slows, hangs and forgets, for whoever is started with this library preloaded.
 *
 * It has to do with files below DISK_FOLDER only. What it does stands in the file DISK_ORDERS, read at every call:
 * a line "fsync NUMBER MILLISECONDS" or "write NUMBER MILLISECONDS" has that call wait, and then fail with that errno
 * (0: succeed). Every file that was synced is copied to DISK_SYNCED: what a power cut would leave of it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int (*real_fsync)(int), (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t), (*real_pwrite)(int, const void *, size_t, off_t);

__attribute__((constructor)) static void find(void) {
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
}

static int ours(int fd, char *path) {
    char link[64];
    const char *folder = getenv("DISK_FOLDER");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0 || folder == NULL) return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

/* Return what the orders say of a call now; 0 where they say nothing. */
static int ordered(const char *call, long *wait) {
    const char *name = getenv("DISK_ORDERS");
    char text[256] = {0}, what[16];
    int number = 0, fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    *wait = 0;
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    for (char *line = text; length > 0 && line && *line; line = strchr(line, '\n'), line += line ? 1 : 0)
        if (sscanf(line, "%15s %d %ld", what, &number, wait) == 3 && strcmp(what, call) == 0) return number;
    *wait = 0;
    return 0;
}

/* Wait as long as ordered, for as long as it is; return the errno to fail with. */
static int obey(const char *call) {
    long wait;
    int number = ordered(call, &wait);
    for (long waited = 0; waited < wait; waited += 20) {
        struct timespec pause = {0, 20000000};
        nanosleep(&pause, NULL);
        number = ordered(call, &wait);
    }
    return number;
}

static void keep(const char *path) {
    const char *folder = getenv("DISK_SYNCED");
    char to[PATH_MAX], fresh[PATH_MAX], part[65536];
    if (folder == NULL) return;
    const char *name = strrchr(path, '/');
    snprintf(to, sizeof to, "%s%s", folder, name ? name : path);
    snprintf(fresh, sizeof fresh, "%s.%d", to, gettid());
    int from = open(path, O_RDONLY | O_CLOEXEC), copy = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (ssize_t got; from >= 0 && copy >= 0 && (got = read(from, part, sizeof part)) > 0;)
        if (real_write(copy, part, (size_t)got) != got) break;
    if (from >= 0) close(from);
    if (copy >= 0) close(copy);
    rename(fresh, to);
}

static int synced(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    if (!ours(fd, path)) return real(fd);
    int number = obey("fsync");
    if (number) {
        errno = number;
        return -1;
    }
    int done = real(fd);
    if (done == 0) keep(path);
    return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

static int refused(int fd) {
    char path[PATH_MAX];
    int number = ours(fd, path) ? obey("write") : 0;
    if (number) errno = number;
    return number;
}

ssize_t write(int fd, const void *from, size_t size) { return refused(fd) ? -1 : real_write(fd, from, size); }
ssize_t pwrite(int fd, const void *from, size_t size, off_t at) { return refused(fd) ? -1 : real_pwrite(fd, from, size, at); }
ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) { return refused(fd) ? -1 : real_pwrite(fd, from, size, at); }
