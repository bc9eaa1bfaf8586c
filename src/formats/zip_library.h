/* libzip, loaded when an archive is opened: with it come libcrypto and more, 1.5 MB of memory that only an
 * .npz needs. With the build option zip=linked it is linked like any other library, which a program that is
 * linked statically asks for. */
#ifndef RLM_FORMATS_ZIP_LIBRARY_H
#define RLM_FORMATS_ZIP_LIBRARY_H

#include <zip.h>

#include "relume/status.h"

/* The functions that are used, by their names without zip_. */
#define RLM_ZIP_LIST(X)                                                                                      \
    X(discard)                                                                                               \
    X(error_code_system)                                                                                     \
    X(error_code_zip)                                                                                        \
    X(error_fini)                                                                                            \
    X(error_init)                                                                                            \
    X(error_set)                                                                                             \
    X(error_strerror)                                                                                        \
    X(error_to_data)                                                                                         \
    X(fclose)                                                                                                \
    X(file_get_error)                                                                                        \
    X(fopen_index)                                                                                           \
    X(fread)                                                                                                 \
    X(get_error)                                                                                             \
    X(get_name)                                                                                              \
    X(get_num_entries)                                                                                       \
    X(open_from_source)                                                                                      \
    X(source_free)                                                                                           \
    X(source_function_create)                                                                                \
    X(source_seek_compute_offset)                                                                            \
    X(stat_index)                                                                                            \
    X(stat_init)                                                                                             \
    X(strerror)

struct rlm_zip {
#define RLM_ZIP_POINTER(name) __typeof__(zip_##name) *(name);
    RLM_ZIP_LIST(RLM_ZIP_POINTER)
#undef RLM_ZIP_POINTER
};

/* Fills `zip` in; the library stays loaded until the program ends. On any thread. RESOURCE, NO_MEMORY, said
 * of the file `name`. */
relume_status rlm_zip_load(struct rlm_zip *zip, const char *name, relume_error *error);

#endif
