/* `relume help errors`: the library's list of status codes, as a page. */
#include "help.h"

#include "relume/status.h"

void cli_help_errors(const struct cli_term *term)
{
    const char *opening = "An error's first line says what was found, where, and what was expected; its "
                          "second gives the code and "
                          "what to do. Scripts can rely on the codes and the exit statuses.";
    cli_put_wrapped(term, opening, 0, 0, cli_help_width(term));
    for (int i = 0; i < RELUME_STATUS_COUNT; i++) {
        relume_status status = (relume_status)i;
        char words[512];
        if (status == RELUME_OK)
            continue;
        snprintf(words, sizeof words, "exit %d: %s. What to do: %s.", relume_status_exit(status),
                 relume_status_meaning(status), relume_status_remedy(status));
        fputc('\n', term->stream);
        cli_style(term, CLI_BOLD);
        fprintf(term->stream, "%s\n    ", relume_status_name(status));
        cli_style(term, CLI_PLAIN);
        cli_put_wrapped(term, words, 4, 4, cli_help_width(term));
    }
}
