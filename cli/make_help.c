/* A tool of the build, not installed: prints the man page's source or a completion script from the table.
 *
 *     make_help man VERSION | bash | zsh | fish */
#include <stdio.h>
#include <string.h>

#include "help.h"

static int print(const char *what, const char *version)
{
    if (strcmp(what, "man") == 0)
        cli_print_man(stdout, version);
    else if (strcmp(what, "bash") == 0)
        cli_print_bash(stdout);
    else if (strcmp(what, "zsh") == 0)
        cli_print_zsh(stdout);
    else if (strcmp(what, "fish") == 0)
        cli_print_fish(stdout);
    else
        return 2;
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 4;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: make_help man VERSION | bash | zsh | fish\n", stderr);
        return 2;
    }
    return print(argv[1], argc > 2 ? argv[2] : "");
}
