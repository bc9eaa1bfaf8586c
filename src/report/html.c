/* The facts as one HTML file: the page that is embedded in the library, with the JSON in it. The JSON is
 * ASCII without `<`, `>` and `&`, so no name can end its element. */
#include <string.h>

#include "report/page.h"
#include "report/print.h"

int relume_report_has_page(void)
{
    return rlm_page_size > 1;
}

const char *relume_report_get_template(size_t *length)
{
    *length = relume_report_has_page() ? rlm_page_size : 0;
    return (const char *)rlm_page;
}

/* Appends the page from *at up to the mark, and moves behind it. */
static void append_to(struct rlm_strbuf *buffer, const char **at, const char *mark)
{
    const char *end = (const char *)rlm_page + rlm_page_size;
    size_t length = strlen(mark);
    for (const char *here = *at; (size_t)(end - here) >= length; here++)
        if (memcmp(here, mark, length) == 0) {
            rlm_strbuf_append(buffer, *at, (size_t)(here - *at));
            *at = here + length;
            return;
        }
}

bool rlm_report_html(const struct rlm_facts *facts, struct rlm_strbuf *buffer)
{
    const char *at = (const char *)rlm_page;
    if (!relume_report_has_page())
        return false;
    append_to(buffer, &at, "@CONNECT@");
    rlm_strbuf_print(buffer, "%s", "'none'");
    append_to(buffer, &at, "@FACTS@");
    rlm_report_json(facts, buffer);
    rlm_strbuf_append(buffer, at, rlm_page_size - (size_t)(at - (const char *)rlm_page));
    return true;
}
