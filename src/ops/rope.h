/* The angles that rotary ops share within a run. */
#ifndef CI_OPS_ROPE_H
#define CI_OPS_ROPE_H

typedef struct ci_rope_table ci_rope_table;
void ci_rope_table_close(ci_rope_table *table);

#endif
