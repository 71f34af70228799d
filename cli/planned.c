/* Commands of Inseq that are not there yet: without a function to run they say so (main.c), and whoever looks for them
 * or mistypes their names is told of them. */
#include "cli.h"

const cli_command cli_attribute_context_command = {
    .id = "attribute-context", .help = "Planned: says which parts of a context an output depends on (PECoRe)."};
