/* relume demo: the same network on the same digits, once at a rate that suits it and once at one that kills.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account.h"
#include "columns.h"
#include "signals.h"

enum { PATH = 4096 };
enum { EPOCHS = 20, HIDDEN_LAYERS = 2, UNITS = 64 };

/* One of the two trainings. */
struct act {
    const char *title;
    const char *folder;
    double learning_rate;
    relume_run *run;
};

static const size_t hidden[HIDDEN_LAYERS] = {UNITS, UNITS};

/* Removes a folder of files and folders; symbolic links are removed, not followed. */
static void remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        char name[4096];
        struct stat found;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (lstat(name, &found) == 0 && S_ISDIR(found.st_mode))
            remove_tree(name);
        else
            (void)unlink(name);
    }
    if (folder)
        closedir(folder);
    (void)rmdir(path);
}

static relume_status train(const struct cli_program *program, relume_engine *engine, const char *parent,
                           struct act *act, relume_error *error)
{
    char path[PATH + 16];
    relume_run_options options;
    relume_run_options_default(&options);
    snprintf(path, sizeof path, "%s/%s", parent, act->folder);
    options.path = path;
    options.data = "digits";
    options.data_options.holdout = 0.2;
    options.data_options.seed = cli_whole(program->args, "seed");
    options.hidden = hidden;
    options.hidden_layers = HIDDEN_LAYERS;
    options.trainer.epochs = EPOCHS;
    options.trainer.batch_size = 32;
    options.trainer.optimizer = RELUME_SGD;
    options.trainer.learning_rate = act->learning_rate;
    options.trainer.seed = cli_whole(program->args, "seed");
    options.checkpoint.kind = RELUME_FINAL;
    options.stop = &cli_stop;
    return relume_run_train(engine, &options, &act->run, error);
}

static bool tell(const struct cli_term *out, const struct act *act)
{
    const relume_run_result *result = relume_run_get_result(act->run);
    const relume_run_layer *total = &result->total;
    cli_style(out, CLI_BOLD);
    printf("%s, learning rate %g", act->title, act->learning_rate);
    cli_style(out, CLI_PLAIN);
    printf("\n");
    if (!cli_print_run_table(out, act->run))
        return false;
    printf("on digits it never saw: %.1f %% right; %llu deaths, %llu revivals, %llu of %d units dead\n\n",
           100 * result->test.accuracy, (unsigned long long)total->deaths,
           (unsigned long long)total->revivals, (unsigned long long)(total->dead_at_end),
           HIDDEN_LAYERS * UNITS);
    return true;
}

static void introduce(const struct cli_program *program, const relume_engine *engine)
{
    (void)program;
    printf("1,797 handwritten digits, a network of 64-%d-%d-10 units, %d epochs of plain SGD, twice:\n"
           "only the learning rate differs. (%s, %zu threads)\n\n",
           UNITS, UNITS, EPOCHS, relume_engine_get_kernel(engine), relume_engine_get_threads(engine));
}

static void conclude(const struct act *gentle, const struct act *lethal)
{
    const relume_run_result *before = relume_run_get_result(gentle->run),
                            *after = relume_run_get_result(lethal->run);
    printf("The loss curve shows none of this: %llu units fire for no training sample, so no gradient\n"
           "reaches them, and under plain SGD those of h1 never return. Accuracy fell from %.1f %% to\n"
           "%.1f %%, the rest of the network doing the work.\n\n"
           "Your turn: relume train digits --holdout 0.2 -o run\n",
           (unsigned long long)after->total.dead_at_end, 100 * before->test.accuracy,
           100 * after->test.accuracy);
}

static relume_status play(const struct cli_program *program, relume_engine *engine, const char *parent,
                          relume_error *error)
{
    struct act acts[] = {{.title = "A rate that suits it", .folder = "gentle", .learning_rate = 0.1},
                         {.title = "A lethal rate", .folder = "lethal", .learning_rate = 1}};
    relume_status status = RELUME_OK;
    introduce(program, engine);
    for (size_t i = 0; status == RELUME_OK && i < 2; i++) {
        status = train(program, engine, parent, &acts[i], error);
        if (status == RELUME_OK && !tell(&program->out, &acts[i]))
            status = cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
        fflush(stdout);
    }
    if (status == RELUME_OK)
        conclude(&acts[0], &acts[1]);
    relume_run_destroy(acts[0].run);
    relume_run_destroy(acts[1].run);
    return status;
}

int cmd_demo(struct cli_program *program)
{
    char parent[PATH];
    relume_engine *engine = NULL;
    relume_error error = {0};
    const char *temporary = getenv("TMPDIR");
    snprintf(parent, sizeof parent, "%.3900s/relume-demo-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK && !mkdtemp(parent)) {
        int number = errno;
        status = cli_error(&error, RELUME_IO, "cannot make a temporary folder %.300s: %s", parent,
                           strerror(number));
    } else if (status == RELUME_OK) {
        cli_signals_catch();
        status = play(program, engine, parent, &error);
        remove_tree(parent);
    }
    relume_engine_destroy(engine);
    if (status == RELUME_INTERRUPTED)
        return cli_stop > 0 ? 128 + cli_stop : relume_status_exit(status);
    return status == RELUME_OK ? 0 : cli_fail(program, &error);
}
