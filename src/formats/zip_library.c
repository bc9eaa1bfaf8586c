/* See zip_library.h. */
#include "formats/zip_library.h"

#include "base/error.h"

#ifdef RLM_ZIP_LINKED

relume_status rlm_zip_load(struct rlm_zip *zip, const char *name, relume_error *error)
{
    (void)name;
    (void)error;
#define LINKED(function) .function = zip_##function,
    *zip = (struct rlm_zip){RLM_ZIP_LIST(LINKED)};
#undef LINKED
    return RELUME_OK;
}

#else

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "formats/source.h"

/* libzip's own name since its version 1.4, and the name under which Debian 12 has the same interface. */
static const char *const libraries[] = {"libzip.so.5", "libzip.so.4"};

/* NULL with *refused: for want of memory. */
static void *open_library(bool *refused)
{
    void *library = NULL;
    *refused = false;
    for (size_t i = 0; !library && i < sizeof libraries / sizeof *libraries; i++) {
        errno = 0;
        library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        *refused = *refused || (!library && errno == ENOMEM);
    }
    return library;
}

/* The function `name` to `*pointer`, a pointer to a function, which C does not let a void * become. */
static bool find(void *library, const char *name, void *pointer, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(pointer, &symbol, size);
    return symbol != NULL;
}

relume_status rlm_zip_load(struct rlm_zip *zip, const char *name, relume_error *error)
{
    bool refused, whole = true;
    void *library = open_library(&refused);
    if (!library && refused)
        return rlm_error_memory(error, 0, "loading libzip");
#define FIND(function)                                                                                       \
    whole = whole && library && find(library, "zip_" #function, &zip->function, sizeof zip->function);
    RLM_ZIP_LIST(FIND)
#undef FIND
    const char *reason = whole ? NULL : dlerror();
    relume_status status = RELUME_OK;
    if (!whole)
        status = rlm_refuse_file(error, RELUME_RESOURCE, name,
                                 "an .npz file is read with the library libzip, which cannot be loaded (%s); "
                                 "install it (Debian 12: the package libzip4)",
                                 reason ? reason : "no reason was given");
    if (library)
        (void)dlclose(library); /* it stays, by RTLD_NODELETE */
    return status;
}

#endif
