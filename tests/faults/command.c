/* See command.h. The child inherits nothing but memory: the program's own main runs in it, once. */
#include "command.h"

#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS 0x20
#endif

int relume_main(int argc, char **argv); /* cli/main.c's main, renamed */

enum { WORDS = 64, SECONDS = 120 };

static struct command_outcome *shared;

static size_t split(char *line, char *argv[WORDS])
{
    size_t count = 0;
    argv[count++] = (char *)"relume";
    for (char *word = strtok(line, " "); word && count + 1 < WORDS; word = strtok(NULL, " "))
        argv[count++] = word;
    argv[count] = NULL;
    return count;
}

/* In the child: stdout and stderr become files, read back by the parent. */
static void run_child(const char *line, const struct layer *armed, const int files[2])
{
    static char copy[1024];
    char *argv[WORDS];
    (void)snprintf(copy, sizeof copy, "%s", line);
    size_t argc = split(copy, argv);
    (void)dup2(files[0], STDOUT_FILENO);
    (void)dup2(files[1], STDERR_FILENO);
    (void)alarm(SECONDS);
    layer = *armed;
    layer.counting = true;
    int status = relume_main((int)argc, argv);
    layer.folder = NULL;
    layer_count_left(&shared->left);
    shared->allocations = layer.allocations;
    shared->calls = layer.calls;
    (void)fflush(NULL);
    _exit(status);
}

static int text_file(void)
{
    char path[] = "/tmp/relume-text-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(unlink(path), 0);
    return descriptor;
}

static void read_back(int descriptor, char text[COMMAND_TEXT])
{
    ssize_t length = pread(descriptor, text, COMMAND_TEXT - 1, 0);
    text[length > 0 ? (size_t)length : 0] = '\0';
    (void)close(descriptor);
}

static pid_t start_visit(void (*visit)(int out, pid_t command), int out, pid_t command)
{
    pid_t visitor = visit ? fork() : 0;
    assert_true(visitor >= 0);
    if (!visit || visitor > 0)
        return visitor;
    (void)alarm(SECONDS);
    visit(out, command);
    _exit(0);
}

static void end_visit(pid_t visitor)
{
    if (visitor <= 0)
        return;
    (void)kill(visitor, SIGKILL);
    assert_int_equal(waitpid(visitor, NULL, 0), visitor);
}

void command_run(const char *line, const struct layer *armed, struct command_outcome *outcome)
{
    command_run_visited(line, armed, NULL, outcome);
}

void command_run_visited(const char *line, const struct layer *armed, void (*visit)(int out, pid_t command),
                         struct command_outcome *outcome)
{
    if (!shared)
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    shared->left.callers = 0;
    shared->allocations = shared->calls = 0;
    int files[2] = {text_file(), text_file()};
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_child(line, armed, files);
    pid_t visitor = start_visit(visit, files[0], child);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    end_visit(visitor);
    outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    outcome->allocations = shared->allocations;
    outcome->calls = shared->calls;
    outcome->left = shared->left;
    read_back(files[0], outcome->out);
    read_back(files[1], outcome->err);
}

void command_run_well(const char *line)
{
    static const struct layer unarmed;
    static struct command_outcome outcome;
    command_run(line, &unarmed, &outcome);
    if (outcome.status != 0)
        fail_msg("relume %s: exit status %d, signal %d: %s", line, outcome.status, outcome.signal,
                 outcome.err);
}
