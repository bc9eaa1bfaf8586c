/* Files of the tree that the build makes into arrays of the library (tools/embed.py). */
#ifndef RLM_DATA_EMBEDDED_H
#define RLM_DATA_EMBEDDED_H

#include <stddef.h>

extern const unsigned char rlm_digits_images[], rlm_digits_labels[];
extern const size_t rlm_digits_images_size, rlm_digits_labels_size;

#endif
