/* See serve_library.h. */
#include "serve_library.h"

#include <dlfcn.h>
#include <string.h>

#include "program.h"

/* The name of the binary interface that the header describes, through all of 0.9 and 1.0. */
#define LIBRARY "libmicrohttpd.so.12"

struct serve_mhd serve_mhd;

/* The function `name` to `*pointer`, a pointer to a function, which C does not let a void * become. */
static bool find(void *library, const char *name, void *pointer, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(pointer, &symbol, size);
    return symbol != NULL;
}

relume_status serve_library_load(relume_error *error)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    bool whole = library != NULL;
#define FIND(name) whole = whole && find(library, "MHD_" #name, &serve_mhd.name, sizeof serve_mhd.name);
    SERVE_MHD_LIST(FIND)
#undef FIND
    if (whole)
        return RELUME_OK;
    const char *reason = dlerror();
    return cli_error(error, RELUME_NOT_FOUND,
                     "relume serve needs the library " LIBRARY
                     " (on Debian the package libmicrohttpd12), which cannot be loaded: %s",
                     reason ? reason : "no reason was given");
}
