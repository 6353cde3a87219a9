/*
 * Where the serving threads run: on the CPU of the client, while it is one thread that
 * asks one thing after another. It is about to sleep, so a thread that is woken there
 * costs a switch; on another CPU it costs an interrupt, and on a virtual machine an exit
 * or two, which is several times what most requests take.
 */
#pragma once

#include <stdbool.h>

#include "fs/fuse.h"

/* By a serving thread that has just received this. Moves it. Returns how many requests of
 * the same client came before it in a row; those of the kernel itself do not count. */
unsigned near_client(struct fuse_session *se, const struct fuse_buf *request);
/* By a thread that answers what others have received. */
void near_follow(void);
/* Whether requests wait that nobody has read. */
bool near_more_wait(struct fuse_session *se);
