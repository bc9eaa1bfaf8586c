/* The parser of the command line, and the values it reads. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "suggest.h"

static struct cli_args args;
static char message[768];

/* Parses "train digits -o run" and the like, split at single spaces. Fails the test when it has too many
 * words. */
static bool parse(const char *line)
{
    static char words[512];
    char *argv[32];
    int argc = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        assert_true(argc < 31);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    *message = 0;
    return cli_args_parse(cli_command_find(argv[0]), argc, argv, &args, message, sizeof message);
}

static void assert_refused(const char *line, const char *expected)
{
    assert_false(parse(line));
    assert_string_equal(message, expected);
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    const char *lines[] = {"train digits -o run --batch 7", "train --batch 7 -o run digits",
                           "train -o run digits --batch=7", "train --batch=7 --output=run -- digits",
                           "train -orun --batch 9 --batch 7 digits"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_true(parse(lines[i]));
        assert_string_equal(args.positional[0], "digits");
        assert_string_equal(cli_text(&args, "output"), "run");
        assert_int_equal(cli_whole(&args, "batch"), 7);
        assert_true(cli_given(&args, "batch"));
        assert_false(cli_given(&args, "resume"));
    }
}

static void a_name_may_begin_with_a_dash_behind_two(void **state)
{
    (void)state;
    assert_true(parse("train -o run -- --odd"));
    assert_string_equal(args.positional[0], "--odd");
}

static void defaults_hold_until_something_is_given(void **state)
{
    (void)state;
    assert_true(parse("train digits -o run"));
    assert_int_equal(cli_whole(&args, "epochs"), 15);
    assert_true(cli_number(&args, "momentum") == 0.9);
    assert_true(cli_number(&args, "nearly-dead") == 0.01);
    assert_string_equal(cli_text(&args, "hidden"), "512,512");
    assert_null(cli_text(&args, "labels"));
    assert_int_equal(cli_choice(&args, "optimizer"), 1);
}

static void help_is_answered_whatever_else_is_wrong(void **state)
{
    (void)state;
    assert_true(parse("train --no-such-thing --help"));
    assert_true(args.help);
    assert_true(parse("train -h"));
    assert_true(args.help);
    assert_true(parse("train -o run -- --help"));
    assert_false(args.help);
}

static void bad_values_are_named(void **state)
{
    (void)state;
    assert_refused("train digits -o run --batch x",
                   "--batch wants a whole number from 1 to 16777216, found \"x\"");
    assert_refused("train digits -o run --batch 0",
                   "--batch wants a whole number from 1 to 16777216, found \"0\"");
    assert_refused("train digits -o run --batch -3",
                   "--batch wants a whole number from 1 to 16777216, found \"-3\"");
    assert_refused("train digits -o run --lr 0", "--lr wants a number above 0, found \"0\"");
    assert_refused("train digits -o run --lr nan", "--lr wants a number above 0, found \"nan\"");
    assert_refused("train digits -o run --momentum 1",
                   "--momentum wants a number from 0 to below 1, found \"1\"");
    assert_refused(
        "train digits -o run --optimizer adm",
        "--optimizer wants one of sgd|momentum|nesterov|adam|adamw, found \"adm\"; did you mean adam?");
    assert_refused("train digits -o run --lr", "--lr wants a value: a number above 0");
    assert_refused("train digits -o run --resume=yes", "--resume takes no value, found \"yes\"");
}

static void unknown_options_get_a_suggestion(void **state)
{
    (void)state;
    assert_refused("train digits --bacth 3 -o run", "there is no option --bacth; did you mean --batch?");
    assert_refused("train digits -o run --learning-rate 3", "there is no option --learning-rate");
    assert_refused("train digits -o run -z", "there is no option -z");
    /* getopt would take a shortened name; relume does not, so that new options break no script */
    assert_refused("train digits -o run --optim sgd",
                   "there is no option --optim; did you mean --optimizer?");
    assert_refused("train digits -o run --optim=sgd",
                   "there is no option --optim; did you mean --optimizer?");
    assert_refused("train digits -o run --resum", "there is no option --resum; did you mean --resume?");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused("train -o run", "DATA is missing: what to train on");
    assert_refused(
        "train digits",
        "--output RUN is missing: the run directory to write; an existing run is never overwritten");
    assert_refused("census m", "DATA is missing: what to show it");
    assert_refused("census m d e", "\"e\" is one argument too many; expected relume census MODEL DATA");
}

static void numbers_are_exact(void **state)
{
    (void)state;
    uint64_t whole = 5;
    double number = 5;
    const char *no_whole[] = {"", " 1", "+1", "-1", "1 ", "0x10", "1e3", "18446744073709551616"};
    for (size_t i = 0; i < sizeof no_whole / sizeof *no_whole; i++)
        assert_false(cli_read_whole(no_whole[i], &whole));
    assert_true(cli_read_whole("18446744073709551615", &whole));
    assert_true(whole == UINT64_MAX);
    const char *no_number[] = {"", " 1", "1,5", "0x1p3", "inf", "nan", "1e999", "1e", ".", "--1"};
    for (size_t i = 0; i < sizeof no_number / sizeof *no_number; i++)
        assert_false(cli_read_number(no_number[i], &number));
    assert_true(number == 5);
    assert_true(cli_read_number("1e-3", &number) && number == 1e-3);
    assert_true(cli_read_share("5%", &number) && number == 0.05);
    assert_true(cli_read_share("0.05", &number) && number == 0.05);
    assert_false(cli_read_share("%", &number));
}

static void lists_are_read_whole(void **state)
{
    (void)state;
    struct cli_widths widths = {.count = 9};
    assert_true(cli_read_widths("512", &widths) && widths.count == 1);
    assert_true(cli_read_widths("3,2,1", &widths) && widths.count == 3 && widths.unit[0] == 3 &&
                widths.unit[2] == 1);
    const char *bad[] = {"", ",", "3,", ",3", "3,,2", "0", "3;2", "3, 2", "16777217"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(cli_read_widths(bad[i], &widths));
    assert_int_equal(widths.count, 3);
}

static void schedules_are_names_or_ascending_points(void **state)
{
    (void)state;
    static struct cli_schedule schedule;
    const char *choices = "constant|step|cosine";
    assert_true(cli_read_schedule("cosine", choices, &schedule) && schedule.choice == 2 &&
                schedule.count == 0);
    assert_true(cli_read_schedule("1:0.1,500:1e-2", choices, &schedule) && schedule.count == 2);
    assert_int_equal(schedule.choice, 3);
    assert_true(schedule.point[1].step == 500 && schedule.point[1].rate == 1e-2);
    const char *bad[] = {"",        "linear",  "1",    "1:",     ":1",   "0:1",
                         "5:1,5:2", "5:1,4:2", "1:-1", "1:0.1,", "1:nan"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(cli_read_schedule(bad[i], choices, &schedule));
}

static void intervals_are_words_or_steps(void **state)
{
    (void)state;
    struct cli_interval interval;
    assert_true(cli_read_interval("epoch", "epoch|final", &interval) && interval.kind == CLI_EVERY_EPOCH);
    assert_true(cli_read_interval("final", "epoch|final", &interval) && interval.kind == CLI_FINAL);
    assert_true(cli_read_interval("50", "epoch", &interval) && interval.kind == CLI_EVERY_STEPS);
    assert_int_equal(interval.steps, 50);
    assert_true(cli_read_interval("off", "epoch|final|off", &interval) && interval.kind == CLI_OFF);
    assert_false(cli_read_interval("final", "epoch", &interval));
    assert_false(cli_read_interval("off", "epoch|final", &interval));
    assert_false(cli_read_interval("0", "epoch", &interval));
}

static void distances_count_edits_and_swaps(void **state)
{
    (void)state;
    assert_int_equal(cli_edit_distance("", ""), 0);
    assert_int_equal(cli_edit_distance("abc", ""), 3);
    assert_int_equal(cli_edit_distance("train", "trian"), 1);
    assert_int_equal(cli_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(cli_edit_distance("ca", "abc"),
                     3); /* each letter touched once: optimal string alignment */
    char hint[64];
    cli_did_you_mean_command("cenus", hint, sizeof hint);
    assert_string_equal(hint, "; did you mean census?");
    cli_did_you_mean_command("xyzzy", hint, sizeof hint);
    assert_string_equal(hint, "");
}

/* Whether `hint` names `name`, or another that is as near. */
static bool names_one_as_near(const char *hint, const char *typed, const char *name)
{
    char found[64] = "";
    const char *at = strstr(hint, "did you mean ");
    if (!at)
        return false;
    at += strlen("did you mean ");
    at += strncmp(at, "--", 2) == 0 ? 2 : 0;
    (void)snprintf(found, sizeof found, "%.*s", (int)strcspn(at, "?"), at);
    return cli_edit_distance(typed, found) <= cli_edit_distance(typed, name) ||
           strncmp(typed, found, strlen(typed)) == 0;
}

/* `name` with a slip of the fingers at letter i: it and the next swapped, left out, doubled, or another. */
static void slip(const char *name, size_t i, int how, char typed[64])
{
    size_t length = strlen(name);
    (void)snprintf(typed, 64, "%s", name);
    if (how == 0 && i + 1 < length) {
        typed[i] = name[i + 1];
        typed[i + 1] = name[i];
    } else if (how == 1) {
        memmove(typed + i, typed + i + 1, length - i);
    } else if (how == 2) {
        memmove(typed + i + 1, typed + i, length - i + 1);
    } else {
        typed[i] = '9';
    }
}

/* Every command and every option is found again through any one slip of the fingers. */
static void every_name_is_found_through_a_slip(void **state)
{
    (void)state;
    size_t tried = 0;
    char typed[64], hint[128];
    for (const struct cli_command *const *command = cli_commands; *command; command++) {
        const struct cli_option *option;
        const char *name = (*command)->name;
        for (size_t place = 0; place < 4 * strlen(name); place++, tried++) {
            slip(name, place / 4, (int)(place % 4), typed);
            cli_did_you_mean_command(typed, hint, sizeof hint);
            if (!cli_command_find(typed) && !names_one_as_near(hint, typed, name))
                fail_msg("%s: \"%s\"", typed, hint);
        }
        for (size_t i = 0; (option = cli_option_at(*command, i)) != NULL; i++)
            for (size_t place = 0; place < 4 * strlen(option->name); place++, tried++) {
                slip(option->name, place / 4, (int)(place % 4), typed);
                cli_did_you_mean_option(*command, typed, hint, sizeof hint);
                if (*typed && !cli_option_find(*command, typed, 0) &&
                    !names_one_as_near(hint, typed, option->name))
                    fail_msg("%s --%s: \"%s\"", name, typed, hint);
            }
    }
    print_message("# %zu slips\n", tried);
}

/* Every default can be read as its row demands: a default that could not would be 0 in silence. */
static void every_default_is_one_its_row_allows(void **state)
{
    (void)state;
    for (const struct cli_command *const *command = cli_commands; *command; command++) {
        const struct cli_option *option;
        for (size_t i = 0; (option = cli_option_at(*command, i)) != NULL; i++) {
            char text[64], *argv[] = {(char *)(*command)->name, text, NULL};
            assert_true(i < CLI_MAX_OPTIONS);
            if (!option->fallback)
                continue;
            snprintf(text, sizeof text, "--%s=%s", option->name, option->fallback);
            /* what is missing besides may be complained of, but not this value */
            if (!cli_args_parse(*command, 2, argv, &args, message, sizeof message))
                assert_null(strstr(message, " wants "));
        }
    }
}

/* The rules the table must keep for help, completions and the parser to work. */
static void every_row_is_well_formed(void **state)
{
    (void)state;
    for (const struct cli_command *const *command = cli_commands; *command; command++) {
        const struct cli_option *option, *other;
        assert_non_null((*command)->summary);
        assert_non_null((*command)->examples->command);
        assert_non_null(cli_option_find(*command, "help", 0));
        for (size_t i = 0; (option = cli_option_at(*command, i)) != NULL; i++) {
            assert_true((option->kind == CLI_FLAG) == (option->value == NULL));
            assert_true(option->kind != CLI_CHOICE || option->choices);
            assert_true(option->help && option->help[strlen(option->help) - 1] != '.');
            for (size_t k = 0; k < i && (other = cli_option_at(*command, k)) != NULL; k++) {
                assert_string_not_equal(option->name, other->name);
                assert_true(option->letter == 0 || option->letter != other->letter);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(a_name_may_begin_with_a_dash_behind_two),
        cmocka_unit_test(defaults_hold_until_something_is_given),
        cmocka_unit_test(help_is_answered_whatever_else_is_wrong),
        cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(unknown_options_get_a_suggestion),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(lists_are_read_whole),
        cmocka_unit_test(schedules_are_names_or_ascending_points),
        cmocka_unit_test(intervals_are_words_or_steps),
        cmocka_unit_test(distances_count_edits_and_swaps),
        cmocka_unit_test(every_name_is_found_through_a_slip),
        cmocka_unit_test(every_default_is_one_its_row_allows),
        cmocka_unit_test(every_row_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
