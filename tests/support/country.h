/* A locale of another country, made on the spot: few machines have one that a test could count on. */
#ifndef RLM_TESTS_COUNTRY_H
#define RLM_TESTS_COUNTRY_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Puts the process into it. False where the system has no source of it (package locales). `places` is a
 * folder of the test's own. */
static inline bool locale_enter(const char *places, const char *language, const char *charset)
{
    char command[512], name[64];
    (void)snprintf(name, sizeof name, "%s.%s", language, charset);
    (void)snprintf(command, sizeof command, "localedef -i %s -f %s '%s/%s' >/dev/null 2>&1", language,
                   charset, places, name);
    /* NOLINTNEXTLINE(cert-env33-c): the folder is the test's own */
    if (system(command) != 0 || setenv("LOCPATH", places, 1) != 0)
        return false;
    return setlocale(LC_ALL, name) != NULL;
}

static inline void locale_leave(void)
{
    (void)setlocale(LC_ALL, "C");
    (void)unsetenv("LOCPATH");
}

#endif
