/* A report of a run: its facts, gathered once, and three printers of them.
 *
 * TEXT is for a terminal (UTF-8; ASCII is the same without what lies beyond it), JSON for programs (schema
 * relume.report/1, docs/schemas/report-1.json), HTML is one file that opens from disk, asks nothing of the
 * network, and shows every unit's life. All three say the same. */
#ifndef RELUME_REPORT_H
#define RELUME_REPORT_H

#include "relume/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum relume_report_format {
    RELUME_REPORT_TEXT,
    RELUME_REPORT_ASCII,
    RELUME_REPORT_JSON,
    RELUME_REPORT_HTML
} relume_report_format;

typedef struct relume_report relume_report;

/* Gathers the facts of the run at `path`, which may still be training: nothing is written. Where the run's
 * data can be found, unchanged, a pass over them adds each unit's pre-activations; a report without them says
 * so. NOT_FOUND when there is no run or no census in it yet, BAD_FORMAT, IO, NO_MEMORY. */
RELUME_API relume_status relume_report_create(relume_engine *engine, const char *path, relume_report **report,
                                              relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_report_destroy(relume_report *report);

/* Prints the facts. `width` is the columns of a terminal for TEXT and ASCII (40 to 200; 0: 80), and of no
 * meaning otherwise. The text ends in a 0 byte and is valid until the next print or the report's end.
 * NOT_FOUND for HTML in a build without the page, NO_MEMORY. */
RELUME_API relume_status relume_report_print(relume_report *report, relume_report_format format, size_t width,
                                             const char **text, size_t *length,
                                             relume_error *error) RELUME_MUST_CHECK;

/* Whether this build carries the page: it needs node at build time. */
RELUME_API int relume_report_has_page(void);

#ifdef __cplusplus
}
#endif
#endif
