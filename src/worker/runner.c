/*
 * runner.c: the short-lived process that claims what is due in one database.
 */
#include "compat.h"
