/* relume serve in a build without libmicrohttpd: it says so. */
#include "program.h"

int cmd_serve(struct cli_program *program)
{
    return cli_misuse(
        &program->err, "serve",
        "this build of relume has no server, because libmicrohttpd was not there when it was built; "
        "relume report RUN -o FILE.html writes the page as one file");
}
