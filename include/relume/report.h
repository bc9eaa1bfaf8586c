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

/* Whether a report holds the autopsy of the units that are dead, which repeats the run up to their deaths.
 * SHORT: when it is foretold to take no longer than `autopsy_seconds`, and does; else the report says why it
 * has none. */
typedef enum relume_report_autopsy {
    RELUME_REPORT_AUTOPSY_SHORT,
    RELUME_REPORT_AUTOPSY_NEVER,
    RELUME_REPORT_AUTOPSY_ALWAYS
} relume_report_autopsy;

typedef struct relume_report_options {
    relume_report_autopsy autopsy;                               /* = SHORT */
    double autopsy_seconds;                                      /* = 5 */
    void (*progress)(void *user, uint64_t done, uint64_t total); /* = NULL: updates repeated so far */
    void *user;
    const volatile int *stop; /* = NULL: when it is not 0, gathering ends within a batch, an update repeated,
                                 or some thousand rows of the history */
} relume_report_options;
RELUME_API void relume_report_options_default(relume_report_options *options);

/* Gathers the facts of the run at `path`, which may still be training: nothing is written. Where the run's
 * data can be found, unchanged, a pass over them adds each unit's pre-activations, and the autopsy tells why
 * the dead ones died; a report without them says so. `options` may be NULL. NOT_FOUND when there is no run or
 * no census in it yet, BAD_FORMAT, IO, INTERRUPTED, NO_MEMORY. */
RELUME_API relume_status relume_report_create(relume_engine *engine, const char *path,
                                              const relume_report_options *options, relume_report **report,
                                              relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_report_destroy(relume_report *report);

/* The same for those who follow a run while it trains: from its history alone, without a pass over the data
 * and without an autopsy, so that training is not slowed; of an unfinished run as of the last census the
 * history holds. With `first_step` above 0 its JSON is a continuation: the map, the events and the rows by
 * epoch hold only what happened at that step or later, and a field `since` says so. The statuses of
 * relume_report_create. */
RELUME_API relume_status relume_report_create_live(relume_engine *engine, const char *path,
                                                   uint64_t first_step, relume_report **report,
                                                   relume_error *error) RELUME_MUST_CHECK;

/* A line about a run, for lists of them: how it stands, its settings, and its course thinned to at most 120
 * epochs. It prints as JSON only (schema relume.run-summary/1, docs/serve.md); the other formats give
 * USAGE. The statuses of relume_report_create. */
RELUME_API relume_status relume_report_create_summary(relume_engine *engine, const char *path,
                                                      relume_report **report,
                                                      relume_error *error) RELUME_MUST_CHECK;

/* The updates a report is complete to, and whether the run goes no further: finished or diverged. */
RELUME_API uint64_t relume_report_get_step(const relume_report *report);
RELUME_API int relume_report_is_final(const relume_report *report);

/* Prints the facts. `width` is the columns of a terminal for TEXT and ASCII (40 to 200; 0: 80), and of no
 * meaning otherwise. The text ends in a 0 byte and is valid until the next print or the report's end.
 * NOT_FOUND for HTML in a build without the page, RESOURCE, NO_MEMORY. */
RELUME_API relume_status relume_report_print(relume_report *report, relume_report_format format, size_t width,
                                             const char **text, size_t *length,
                                             relume_error *error) RELUME_MUST_CHECK;

/* Whether this build carries the page: it needs node at build time. */
RELUME_API int relume_report_has_page(void);

/* The page without facts, for programs that serve it: in place of @FACTS@ it wants the JSON, and in place of
 * @CONNECT@ what its policy lets it connect to ('none' or 'self', with the quotes). Of length 0 in a build
 * without the page. */
RELUME_API const char *relume_report_get_template(size_t *length);

#ifdef __cplusplus
}
#endif
#endif
