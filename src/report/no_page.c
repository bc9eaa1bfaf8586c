/* What stands for the page in a build without node; see page.h. */
#include "report/page.h"

const unsigned char rlm_page[] = {0};
const size_t rlm_page_size = sizeof rlm_page;
