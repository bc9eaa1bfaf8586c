/* Marks of the public functions: visibility, and results that must not be dropped. */
#ifndef RELUME_EXPORT_H
#define RELUME_EXPORT_H

#if defined(__GNUC__)
#define RELUME_API __attribute__((visibility("default")))
#define RELUME_MUST_CHECK __attribute__((warn_unused_result))
#else
#define RELUME_API
#define RELUME_MUST_CHECK
#endif

#endif
