/* Long arrays as text: little-endian bytes, compressed with zlib, in base64. The form `packed` of
 * docs/schemas/report-1.json. */
#ifndef RLM_REPORT_PACK_H
#define RLM_REPORT_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "report/bag.h"

struct rlm_packed {
    const char *type; /* "u8", "i8", "u32", "f32"; NULL: nothing */
    size_t count;     /* values */
    const char *text; /* base64 */
    size_t length;
};

relume_status rlm_pack_u8(struct rlm_bag *bag, const uint8_t *value, size_t count, struct rlm_packed *packed,
                          relume_error *error);
relume_status rlm_pack_i8(struct rlm_bag *bag, const int8_t *value, size_t count, struct rlm_packed *packed,
                          relume_error *error);
relume_status rlm_pack_u32(struct rlm_bag *bag, const uint32_t *value, size_t count,
                           struct rlm_packed *packed, relume_error *error);
relume_status rlm_pack_f32(struct rlm_bag *bag, const float *value, size_t count, struct rlm_packed *packed,
                           relume_error *error);

/* Characters that `bytes` incompressible bytes come to. */
size_t rlm_pack_bound(size_t bytes);

#endif
