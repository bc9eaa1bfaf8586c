/* The library's version, as a function so that a program can tell which shared library it got. */
#include "relume/version.h"

const char *relume_version(void)
{
    return RELUME_VERSION;
}
