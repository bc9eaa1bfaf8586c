/* What every cmocka test includes first: cmocka's own prerequisites in their order, and assertions that print
 * the message of a failed relume call. */
#ifndef RLM_TESTS_CHECK_H
#define RLM_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relume/status.h"

/* Leaves a test that cannot be done here; ./check counts it as skipped and shows why. (cmocka's own skip()
 * prints "not ok", which meson takes for a failure.) */
#define skip_because(reason)                                                                                 \
    do {                                                                                                     \
        print_message("# skipped: %s: %s\n", __func__, reason);                                              \
        return;                                                                                              \
    } while (0)

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
