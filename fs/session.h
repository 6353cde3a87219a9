/* The FUSE session: mounted, served by threads of our own (crew.h), unmounted. */
#pragma once

#include <stdbool.h>

#include "backends/support/error.h"
#include "fs/options.h"

struct fuse_session;

/* Makes no thread. options->source and mountpoint are absolute. */
int session_mount(const struct options *o, struct error *err);
/* Starts serving. SIGUSR2 is sent to the process when the mount has gone by itself. */
int session_serve(struct error *err);
/* Detaches the mount; threads go on serving who still has files open. */
void session_unmount(void);
/* Ends the threads. false: some are still in a call after that time. */
bool session_stop(unsigned timeout_ms);
/* After session_stop: releases the session and with it the connection. */
void session_close(void);

struct fuse_session *session_fuse(void);
