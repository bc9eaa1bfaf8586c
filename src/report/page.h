/* The page that the build makes of web/ and embeds: a template with the marks @FACTS@ and @CONNECT@. In a
 * build without node it is a single 0 byte. */
#ifndef RLM_REPORT_PAGE_H
#define RLM_REPORT_PAGE_H

#include <stddef.h>

extern const unsigned char rlm_page[];
extern const size_t rlm_page_size;

#endif
