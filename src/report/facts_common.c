/* What all who gather facts use: texts kept with them, room in the page, the code of a firing rate. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "report/facts.h"
#include "report/gather.h"

uint8_t rlm_rate_code(uint64_t active, uint64_t samples)
{
    if (active == 0)
        return 0;
    if (active >= samples)
        return 255;
    double code = 1 + floor(253.0 * (double)active / (double)samples + 0.5);
    return (uint8_t)(code > 254 ? 254 : code);
}

struct rlm_facts_room rlm_facts_room(size_t hidden_units)
{
    /* Three 32-bit values a unit in base64 are 16 characters; half a megabyte is for the page and the short
     * tables. */
    const double all = 4.5e6, account = 16.1 * (double)hidden_units;
    double left = all - account > 0.5e6 ? all - account : 0.5e6;
    return (struct rlm_facts_room){.map = (size_t)(left * 0.34),
                                   .margins = (size_t)(left * 0.11),
                                   .events = (size_t)(left * 0.11),
                                   .units = (size_t)(left * 0.21),
                                   .images = (size_t)(left * 0.16),
                                   .autopsy = (size_t)(left * 0.07)};
}

relume_status rlm_facts_print(struct rlm_facts *facts, char **text, relume_error *error, const char *format,
                              ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    relume_status status =
        RLM_BAG_TAKE(&facts->bag, *text, (size_t)(length < 0 ? 0 : length) + 1, "a report's text", error);
    if (status == RELUME_OK && length >= 0)
        (void)vsnprintf(*text, (size_t)length + 1, format, again);
    va_end(again);
    return status;
}

char **rlm_facts_point(struct rlm_facts *facts, const char *about)
{
    struct rlm_facts_point *point = &facts->verdict.point[facts->verdict.points++];
    point->about = about;
    return &point->text;
}
