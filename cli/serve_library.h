/* libmicrohttpd, loaded when a server starts: with it come GnuTLS and seven more libraries, 3 MB of memory
 * and a third of the time it takes any other command to begin. */
#ifndef CLI_SERVE_LIBRARY_H
#define CLI_SERVE_LIBRARY_H

#include <microhttpd.h>

#include "relume/relume.h"

/* The functions that are used, by their names without MHD_. */
#define SERVE_MHD_LIST(X)                                                                                    \
    X(add_response_header)                                                                                   \
    X(create_response_from_buffer)                                                                           \
    X(create_response_from_callback)                                                                         \
    X(destroy_response)                                                                                      \
    X(get_connection_info)                                                                                   \
    X(get_connection_values)                                                                                 \
    X(lookup_connection_value)                                                                               \
    X(queue_response)                                                                                        \
    X(resume_connection)                                                                                     \
    X(start_daemon)                                                                                          \
    X(stop_daemon)                                                                                           \
    X(suspend_connection)

struct serve_mhd {
#define SERVE_MHD_POINTER(name) __typeof__(MHD_##name) *(name);
    SERVE_MHD_LIST(SERVE_MHD_POINTER)
#undef SERVE_MHD_POINTER
};
extern struct serve_mhd serve_mhd;

/* Fills serve_mhd in; the library stays until the program ends. NOT_FOUND, NO_MEMORY. */
relume_status serve_library_load(relume_error *error);

#endif
