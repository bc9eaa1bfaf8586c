/* See c_locale.h. Of the thread alone: setlocale would change what other threads print meanwhile. */
#include "base/c_locale.h"

#include <errno.h>

#include "base/error.h"

relume_status rlm_c_locale_enter(struct rlm_c_locale *scope, relume_error *error)
{
    scope->c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (scope->c == (locale_t)0)
        return rlm_error_system(error, RELUME_RESOURCE, errno, "cannot have the C locale");
    scope->before = uselocale(scope->c);
    return RELUME_OK;
}

void rlm_c_locale_leave(struct rlm_c_locale *scope)
{
    (void)uselocale(scope->before);
    freelocale(scope->c);
}
