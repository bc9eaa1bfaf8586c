/* Datasets in arrays and tables of the user's own: refused until their formats are read. */
#include "base/error.h"
#include "data/part.h"
#include "formats/source.h"
relume_status rlm_read_npz(const relume_allocator *allocator, const char *path,
                           const relume_dataset_options *options, struct rlm_parts *parts,
                           relume_error *error)
{
    (void)allocator;
    (void)options;
    (void)parts;
    return rlm_refuse_file(error, RELUME_BAD_FORMAT, path, "files of this kind are not read yet");
}
relume_status rlm_read_array(const relume_allocator *allocator, const char *path,
                             const relume_dataset_options *options, struct rlm_parts *parts,
                             relume_error *error)
{
    (void)allocator;
    (void)options;
    (void)parts;
    return rlm_refuse_file(error, RELUME_BAD_FORMAT, path, "files of this kind are not read yet");
}
relume_status rlm_read_table(const relume_allocator *allocator, const char *path,
                             const relume_dataset_options *options, struct rlm_parts *parts,
                             relume_error *error)
{
    (void)allocator;
    (void)options;
    (void)parts;
    return rlm_refuse_file(error, RELUME_BAD_FORMAT, path, "files of this kind are not read yet");
}
