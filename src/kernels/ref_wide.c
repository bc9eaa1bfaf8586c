/* The reference compiled a third time, in long double: the way forward alone, whose losses gradcheck takes
 * differences of. */
#define RLM_REF_WIDE
#include "kernels/ref.c" /* NOLINT(bugprone-suspicious-include) */
