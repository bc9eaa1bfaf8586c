/* Signal handlers; see signals.h. Only async-signal-safe calls are made in them. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

volatile int cli_stop;

static void ask_to_stop(int number)
{
    if (cli_stop == 0) {
        __atomic_store_n(&cli_stop, number, __ATOMIC_RELAXED); /* an autopsy's threads look at it */
        return;
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_one(int number)
{
    struct sigaction old, action = {.sa_handler = ask_to_stop, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

void cli_signals_catch(void)
{
    catch_one(SIGINT);
    catch_one(SIGTERM);
}
