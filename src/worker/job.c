/*
 * job.c: the process that runs one job.
 */
#include "compat.h"
