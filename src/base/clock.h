/* Time for progress and statistics: monotonic, so that setting the clock does not make a duration negative.
 */
#ifndef RLM_BASE_CLOCK_H
#define RLM_BASE_CLOCK_H

/* Seconds since some fixed moment of this boot. */
double rlm_clock_now(void);

#endif
