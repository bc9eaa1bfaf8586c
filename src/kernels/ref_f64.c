/* The reference compiled a second time, in double: what gradcheck trusts. */
#define RLM_REF_DOUBLE
#include "kernels/ref.c" /* NOLINT(bugprone-suspicious-include) */
