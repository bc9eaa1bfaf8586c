/* Stopping politely: the first SIGINT or SIGTERM asks, the second ends the program at once. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

/* The signal that asked to stop, 0 for none: what relume_run_options.stop points to. */
extern volatile int cli_stop;

/* Catches SIGINT and SIGTERM, each unless the program was started with it ignored (nohup, background jobs).
 */
void cli_signals_catch(void);

#endif
