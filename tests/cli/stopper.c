/* Loaded before the program (LD_PRELOAD), sends it a signal at one exact moment: before its Nth call of a
 * function that tells the time or changes a file. The program asks for the time at the beginning and the end
 * of every step, evaluation, census and save, so these moments cut a run between all of its parts.
 *
 *     STOP_AT=N  STOP_WITH=9|15|2      and STOP_TIME_ONLY=1: calls that change a file do not count
 *
 * With N 0 nothing is sent; the number of calls there were is written to the file STOP_COUNT at the end. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;

static long number_of(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

static void count_one(void)
{
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (call == number_of("STOP_AT"))
        (void)kill(getpid(), (int)number_of("STOP_WITH"));
}

static void count_file_call(void)
{
    if (number_of("STOP_TIME_ONLY") == 0)
        count_one();
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("STOP_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    (void)fprintf(file, "%ld\n", atomic_load(&calls));
    (void)fclose(file);
}

/* The parameters have names of their own here, not those of the system's headers. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

int clock_gettime(clockid_t id, struct timespec *now)
{
    count_one();
    return (int)syscall(SYS_clock_gettime, id, now);
}

int fsync(int file)
{
    count_file_call();
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    count_file_call();
    return (int)syscall(SYS_fdatasync, file);
}

int rename(const char *from, const char *to)
{
    count_file_call();
    return (int)syscall(SYS_renameat2, -100, from, -100, to, 0); /* -100: AT_FDCWD */
}

int unlink(const char *path)
{
    count_file_call();
    return (int)syscall(SYS_unlinkat, -100, path, 0);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off_t offset)
{
    count_file_call();
    return syscall(SYS_pwrite64, file, bytes, size, offset);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
