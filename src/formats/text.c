/* See text.h. */
#include "formats/text.h"

#include <stdint.h>
#include <string.h>

#define QUOTE_BYTES 60

size_t rlm_utf8_length(const char *text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    if (size == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || length > size)
        return 0;
    uint32_t point = at[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3fu);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = point >= 0xd800 && point < 0xe000;
    return point < smallest[length] || point > 0x10ffff || surrogate ? 0 : length;
}

bool rlm_utf8_is_valid(const char *text)
{
    for (size_t left = strlen(text), length; left; text += length, left -= length) {
        length = rlm_utf8_length(text, left);
        if (length == 0)
            return false;
    }
    return true;
}

/* Control characters of ASCII, and those of Latin-1 (U+0080 to U+009F), which some terminals obey. */
static bool is_control(const char *at, size_t length)
{
    unsigned char first = (unsigned char)at[0];
    return length == 1 ? first < ' ' || first == 0x7f : first == 0xc2 && (unsigned char)at[1] < 0xa0;
}

const char *rlm_quote(char text[RLM_QUOTE_SIZE], const char *name)
{
    size_t used = 0, left = strlen(name);
    text[used++] = '"';
    while (left && used <= QUOTE_BYTES) {
        size_t length = rlm_utf8_length(name, left);
        if (length == 0 || is_control(name, length)) {
            text[used++] = '?';
            length = 1 + (length == 2);
        } else {
            memcpy(text + used, name, length);
            used += length;
        }
        name += length;
        left -= length;
    }
    text[used++] = '"';
    if (left) {
        memcpy(text + used, "...", 3);
        used += 3;
    }
    text[used] = '\0';
    return text;
}
