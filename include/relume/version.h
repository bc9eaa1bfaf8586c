/* The version of relume: of the headers at compile time, of the library at run time. */
#ifndef RELUME_VERSION_H
#define RELUME_VERSION_H

#include "relume/export.h"

#define RELUME_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, such as "0.1.0": a static string. Any thread. */
RELUME_API const char *relume_version(void);

#ifdef __cplusplus
}
#endif
#endif
