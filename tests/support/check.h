/* What every cmocka test includes first: cmocka's own prerequisites in their order, assertions that print the
 * message of a failed relume call, and how long a test may go on. */
#ifndef RLM_TESTS_CHECK_H
#define RLM_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relume/status.h"

/* Leaves a test that cannot be done here; ./check counts it as skipped and shows why. (cmocka's own skip()
 * prints "not ok", which meson takes for a failure.) */
#define skip_because(reason)                                                                                 \
    do {                                                                                                     \
        print_message("# skipped: %s: %s\n", __func__, reason);                                              \
        return;                                                                                              \
    } while (0)

/* How often a loop goes round that only adds cases: `brief` times where every instruction costs several,
 * under sanitizers and emulation (the build sets RELUME_SHORT there; ./check full, RELUME_LONG, goes all the
 * way). What is brief still takes each path through the code once; which numbers come out is for the plain
 * build. */
static inline size_t check_rounds(size_t usual, size_t brief)
{
    return getenv("RELUME_SHORT") && !getenv("RELUME_LONG") ? brief : usual;
}

/* The call succeeds; `error` is the relume_error it was given. */
#define assert_ok(call, error)                                                                               \
    do {                                                                                                     \
        relume_status check_status = (call);                                                                 \
        if (check_status != RELUME_OK)                                                                       \
            fail_msg("%s: %s: %s", #call, relume_status_name(check_status), (error).message);                \
    } while (0)

/* The call fails with `expected`. */
#define assert_status(call, expected)                                                                        \
    do {                                                                                                     \
        relume_status check_status = (call);                                                                 \
        if (check_status != (expected))                                                                      \
            fail_msg("%s: %s, expected %s", #call, relume_status_name(check_status),                         \
                     relume_status_name(expected));                                                          \
    } while (0)

#endif
