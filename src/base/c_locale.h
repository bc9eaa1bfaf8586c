/* The calling thread in the C locale for a while, so that 0.1 is "0.1" whatever the locale of the program is.
 * Between enter and leave no code of the caller's may run: it has a locale of its own. */
#ifndef RLM_BASE_C_LOCALE_H
#define RLM_BASE_C_LOCALE_H

#include <locale.h>

#include "relume/status.h"

struct rlm_c_locale {
    locale_t c, before;
};

/* RESOURCE. */
relume_status rlm_c_locale_enter(struct rlm_c_locale *scope, relume_error *error);
/* After a success of enter, once, by the same thread. */
void rlm_c_locale_leave(struct rlm_c_locale *scope);

#endif
