/* The printers of an autopsy: for people, and for programs. */
#ifndef CLI_AUTOPSY_H
#define CLI_AUTOPSY_H

#include "program.h"

struct cli_autopsy {
    const struct cli_program *program;
    const relume_run *run;
    const relume_autopsy *found;
    const relume_autopsy_unit *unit; /* [units]: those asked for by name; NULL: none were */
    size_t units;
};

/* False when memory is out. */
bool cli_print_autopsy(const struct cli_autopsy *autopsy);
relume_status cli_print_autopsy_json(const struct cli_autopsy *autopsy, relume_error *error);

/* The living units that come nearest to death by the run's last census: up to `room` of them, least firing
 * first. Returns how many. */
struct cli_near {
    size_t layer, unit;
    relume_unit_account account;
};
size_t cli_autopsy_nearest(const relume_run *run, struct cli_near *near, size_t room);
enum { CLI_NEAREST = 5 };

#endif
