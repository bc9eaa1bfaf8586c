/* Numbers as people read them, for the sentences of a report. No locale changes them. */
#ifndef RLM_REPORT_WORDS_H
#define RLM_REPORT_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* A few buffers used in turn: what a call returns is valid until the eighth call after it. */
struct rlm_words {
    char text[8][32];
    size_t next;
};

const char *rlm_words_number(struct rlm_words *words, uint64_t value); /* 1,234,567 */
const char *rlm_words_plural(uint64_t value);                          /* "s", or nothing for 1 */
/* 0.856 as 85.6 %, the sign not to be parted from it. */
const char *rlm_words_percent(struct rlm_words *words, double share);
/* A loss with three digits after the point. */
const char *rlm_words_loss(struct rlm_words *words, double loss);
/* Three digits that count, rounded down, so that a rate that is safe stays so. */
const char *rlm_words_rate(struct rlm_words *words, double rate);

#endif
