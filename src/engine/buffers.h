/* Gradient memory that goes from hand to hand within a run: fresh pages cost more than the arithmetic on them. */
#ifndef CI_ENGINE_BUFFERS_H
#define CI_ENGINE_BUFFERS_H
#include <stddef.h>

typedef struct ci_buffers ci_buffers;
ci_buffers *ci_buffers_open(void); /* NULL: no memory */
void ci_buffers_close(ci_buffers *buffers);
float *ci_buffers_take(ci_buffers *buffers, size_t floats); /* not cleared; NULL: no memory */
void ci_buffers_give(ci_buffers *buffers, float *memory);   /* NULL: nothing happens */

#endif
