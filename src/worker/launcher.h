/*
 * launcher.h: the worker's settings and its static process.
 */
#ifndef CVM_WORKER_LAUNCHER_H
#define CVM_WORKER_LAUNCHER_H

/* Settings; when the server preloads the library, also memory and launcher. */
extern void cvm_worker_init(void);

/* launcher.c: cvm.worker_enabled, cvm.max_concurrent_jobs, cvm.run_history (minutes) */
extern bool cvm_worker_enabled;
extern int	cvm_max_concurrent_jobs;
extern int	cvm_run_history_minutes;

#endif
