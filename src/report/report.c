/* The public face of a report: gather once, print as often as wanted. */
#include <string.h>

#include "base/alloc.h"
#include "base/c_locale.h"
#include "base/engine.h"
#include "base/error.h"
#include "report/print.h"
#include "report/summary.h"

struct relume_report {
    struct rlm_facts facts;
    struct rlm_summary *summary; /* in place of the facts */
    struct rlm_strbuf text;
};

void relume_report_options_default(relume_report_options *options)
{
    *options = (relume_report_options){.autopsy = RELUME_REPORT_AUTOPSY_SHORT, .autopsy_seconds = 5};
}

/* What a report is made of. */
typedef relume_status gatherer(relume_engine *engine, const char *path, const struct rlm_wish *wish,
                               relume_report *report, relume_error *error);

static relume_status gather_facts(relume_engine *engine, const char *path, const struct rlm_wish *wish,
                                  relume_report *report, relume_error *error)
{
    return rlm_facts_gather(engine, path, wish, &report->facts, error);
}

static relume_status gather_summary(relume_engine *engine, const char *path, const struct rlm_wish *wish,
                                    relume_report *report, relume_error *error)
{
    (void)wish;
    return rlm_summary_create(engine, path, &report->summary, error);
}

static relume_status create(relume_engine *engine, const char *path, gatherer *gather,
                            const struct rlm_wish *wish, relume_report **result, relume_error *error)
{
    rlm_error_clear(error);
    relume_report *report = rlm_alloc_zero(&engine->allocator, 1, sizeof *report);
    if (!report)
        return rlm_error_memory(error, sizeof *report, "a report");
    report->text.allocator = &engine->allocator;
    relume_status status = gather(engine, path, wish, report, error);
    if (status == RELUME_OK)
        *result = report;
    else
        relume_report_destroy(report);
    return status;
}

relume_status relume_report_create(relume_engine *engine, const char *path,
                                   const relume_report_options *options, relume_report **report,
                                   relume_error *error)
{
    relume_report_options defaults;
    relume_report_options_default(&defaults);
    struct rlm_wish wish = {.options = options ? options : &defaults};
    return create(engine, path, gather_facts, &wish, report, error);
}

relume_status relume_report_create_live(relume_engine *engine, const char *path, uint64_t first_step,
                                        relume_report **report, relume_error *error)
{
    struct rlm_wish wish = {.live = true, .first_step = first_step};
    return create(engine, path, gather_facts, &wish, report, error);
}

relume_status relume_report_create_summary(relume_engine *engine, const char *path, relume_report **report,
                                           relume_error *error)
{
    return create(engine, path, gather_summary, NULL, report, error);
}

uint64_t relume_report_get_step(const relume_report *report)
{
    return report->summary ? report->summary->step : report->facts.step;
}

int relume_report_is_final(const relume_report *report)
{
    const char *state = report->summary ? report->summary->state : report->facts.state;
    return strcmp(state, "unfinished") != 0;
}

void relume_report_destroy(relume_report *report)
{
    if (!report)
        return;
    rlm_facts_deinit(&report->facts);
    rlm_summary_destroy(report->summary);
    rlm_strbuf_deinit(&report->text);
    rlm_free(report);
}

static relume_status print_text(relume_report *report, size_t width, bool ascii, relume_error *error)
{
    struct rlm_c_locale scope;
    RLM_TRY(rlm_c_locale_enter(&scope, error));
    rlm_report_text(&report->facts,
                    width == 0    ? 80
                    : width < 40  ? 40
                    : width > 200 ? 200
                                  : width,
                    ascii, &report->text);
    rlm_c_locale_leave(&scope);
    return RELUME_OK;
}

relume_status relume_report_print(relume_report *report, relume_report_format format, size_t width,
                                  const char **text, size_t *length, relume_error *error)
{
    rlm_error_clear(error);
    struct rlm_strbuf *buffer = &report->text;
    const relume_allocator *allocator = buffer->allocator;
    if (buffer->failed) { /* of an earlier print */
        rlm_strbuf_deinit(buffer);
        *buffer = (struct rlm_strbuf){.allocator = allocator};
    }
    rlm_strbuf_reset(buffer);
    if (report->summary && format != RELUME_REPORT_JSON)
        return rlm_error_set(error, RELUME_USAGE, "the summary of a run prints as JSON only");
    if (report->summary)
        rlm_summary_json(report->summary, buffer);
    else if (format == RELUME_REPORT_JSON)
        rlm_report_json(&report->facts, buffer);
    else if (format == RELUME_REPORT_TEXT || format == RELUME_REPORT_ASCII)
        RLM_TRY(print_text(report, width, format == RELUME_REPORT_ASCII, error));
    else if (!rlm_report_html(&report->facts, buffer))
        return rlm_error_set(
            error, RELUME_NOT_FOUND,
            "this build of relume carries no page, for node or the packages of web/ (npm "
            "ci) were missing when it was built: the terminal report and --json say the same");
    if (buffer->failed)
        return rlm_error_memory(error, buffer->length, "a report's text");
    *text = buffer->text;
    *length = buffer->length;
    return RELUME_OK;
}
