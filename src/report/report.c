/* The public face of a report: gather once, print as often as wanted. */
#include "base/alloc.h"
#include "base/engine.h"
#include "base/error.h"
#include "report/print.h"

struct relume_report {
    struct rlm_facts facts;
    struct rlm_strbuf text;
};

relume_status relume_report_create(relume_engine *engine, const char *path, relume_report **result,
                                   relume_error *error)
{
    rlm_error_clear(error);
    relume_report *report = rlm_alloc_zero(&engine->allocator, 1, sizeof *report);
    if (!report)
        return rlm_error_memory(error, sizeof *report, "a report");
    report->text.allocator = &engine->allocator;
    relume_status status = rlm_facts_gather(engine, path, &report->facts, error);
    if (status == RELUME_OK)
        *result = report;
    else
        relume_report_destroy(report);
    return status;
}

void relume_report_destroy(relume_report *report)
{
    if (!report)
        return;
    rlm_facts_deinit(&report->facts);
    rlm_strbuf_deinit(&report->text);
    rlm_free(report);
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
    if (format == RELUME_REPORT_JSON)
        rlm_report_json(&report->facts, buffer);
    else if (format == RELUME_REPORT_TEXT || format == RELUME_REPORT_ASCII)
        rlm_report_text(&report->facts,
                        width == 0    ? 80
                        : width < 40  ? 40
                        : width > 200 ? 200
                                      : width,
                        format == RELUME_REPORT_ASCII, buffer);
    else if (!rlm_report_html(&report->facts, buffer))
        return rlm_error_set(
            error, RELUME_NOT_FOUND,
            "this build of relume carries no page, because node was not there when it was built: the "
            "terminal report and --json say the same");
    if (buffer->failed)
        return rlm_error_memory(error, buffer->length, "a report's text");
    *text = buffer->text;
    *length = buffer->length;
    return RELUME_OK;
}
