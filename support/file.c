// SPDX-License-Identifier: Apache-2.0
// Whole files in, whole files out. A written path holds all of the new bytes
// or what it held before: bytes go to a new file beside it, which is renamed.
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK = 64 * 1024, TRIES = 1000 };

static bool
is_dash(const char *path)
{
    return strcmp(path, "-") == 0;
}

static bool
fail(arena *a, const char *what, const char *path, const char **err)
{
    *err = arena_printf(a, "cannot %s '%s': %s", what, path, strerror(errno));
    return false;
}

// The rest of fd, into a buffer that starts with room for 'guess' bytes.
static bool
read_rest(arena *a, int fd, uint64_t guess, uint64_t max, str *out)
{
    size_t cap = (size_t)guess + 1, n = 0;
    char *p = arena_alloc(a, cap);
    for (;;) {
        if (n == cap) {
            char *bigger = arena_array(a, cap, 2);
            memcpy(bigger, p, n);
            p = bigger;
            cap *= 2;
        }
        ssize_t got = read(fd, p + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        n += (size_t)got;
        errno = EFBIG;
        if (n > max)
            return false;
        if (got == 0)
            break;
    }
    *out = (str){p, n};
    return true;
}

static bool
read_fd(arena *a, int fd, uint64_t max, str *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    uint64_t guess = READ_CHUNK;
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return false;
    }
    if (S_ISREG(st.st_mode)) {
        guess = (uint64_t)st.st_size;
        if (guess > max) {
            errno = EFBIG;
            return false;
        }
    }
    return read_rest(a, fd, guess, max, out);
}

bool
file_read(arena *a, const char *path, uint64_t max, str *out, const char **err)
{
    int fd = is_dash(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(a, "open", path, err);
    bool ok = read_fd(a, fd, max, out);
    int saved = errno;
    if (fd != STDIN_FILENO)
        close(fd);
    errno = saved;
    return ok ? true : fail(a, "read", path, err);
}

static bool
write_all(int fd, str data)
{
    for (size_t n = 0; n < data.n;) {
        ssize_t put = write(fd, data.p + n, data.n - n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        n += (size_t)put;
    }
    return true;
}

// Devices, pipes and standard output take their bytes directly.
static bool
is_direct(const char *path)
{
    struct stat st;
    return is_dash(path) || (stat(path, &st) == 0 && !S_ISREG(st.st_mode));
}

// A new file in the directory of 'path'; its name in *temp.
static int
open_beside(arena *a, const char *path, const char **temp)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;
    mode_t mode = exists ? st.st_mode & 0777 : 0666;
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash - path) + 1 : 0;
    for (uint32_t i = 0; i < TRIES; i++) {
        *temp = arena_printf(a, "%.*s.systole-%ld-%u.tmp", dir, path,
                             (long)getpid(), i);
        int fd = open(*temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

bool
file_stage(arena *a, const char *path, str data, file_staged *out,
           const char **err)
{
    char real[PATH_MAX];
    // A link keeps pointing where it did; what it points at is replaced.
    bool found = !is_dash(path) && realpath(path, real) != NULL;
    *out = (file_staged){.path = found ? str_z(a, str_of(real)) : path,
                         .data = data};
    if (is_direct(path))
        return true;
    int fd = open_beside(a, out->path, &out->temp);
    if (fd < 0) {
        out->temp = NULL;
        return fail(a, "write", path, err);
    }
    bool ok = write_all(fd, data);
    int saved = errno;
    ok = close(fd) == 0 && ok;
    errno = saved ? saved : errno;
    if (ok)
        return true;
    fail(a, "write", path, err);
    file_discard(out);
    return false;
}

static bool
write_direct(const char *path, str data)
{
    if (is_dash(path))
        return write_all(STDOUT_FILENO, data);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, data);
    return close(fd) == 0 && ok;
}

bool
file_commit(arena *a, file_staged *f, const char **err)
{
    bool ok = f->temp ? rename(f->temp, f->path) == 0
                      : write_direct(f->path, f->data);
    if (ok) {
        f->temp = NULL;
        return true;
    }
    fail(a, "write", f->path, err);
    file_discard(f);
    return false;
}

void
file_discard(file_staged *f)
{
    if (f->temp)
        unlink(f->temp);
    f->temp = NULL;
}

bool
file_write(arena *a, const char *path, str data, const char **err)
{
    file_staged f;
    return file_stage(a, path, data, &f, err) && file_commit(a, &f, err);
}
