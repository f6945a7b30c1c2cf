# cvm: customer value management inside PostgreSQL (PGXS).
# The lists below are the table of contents of the sources.

EXTENSION = cvm
EXTVERSION = 0.1.0
MODULE_big = cvm

MATH_OBJS = src/math/special.o src/math/quadrature.o src/math/random.o src/math/optimise.o
MODEL_OBJS = src/models/registry.o src/models/numbering.o src/models/table.o src/models/fit.o src/models/bg_nbd.o \
	src/models/regular_history.o src/models/regular_future.o src/models/bg_cnbd_k.o src/models/mbg_cnbd_k.o src/models/bg_bb.o src/models/bg_bb_fit.o \
	src/models/gamma_gamma.o src/models/predictive.o
TYPE_OBJS = src/types/amount.o src/types/calendar.o src/types/purchase_history.o src/types/history_io.o \
	src/types/history_aggregate.o src/types/model_type.o src/types/rfm.o
ENGINE_OBJS = src/fit.o src/score.o src/recompute/recompute.o src/recompute/plan.o \
	src/recompute/spool.o src/recompute/ranks.o src/recompute/summarise.o src/recompute/population.o src/recompute/segment.o \
	src/recompute/value.o src/recompute/publish.o
WORKER_OBJS = src/worker/launcher.o src/worker/runner.o src/worker/job.o src/worker/shared.o
OBJS = src/cvm.o $(MATH_OBJS) $(MODEL_OBJS) $(TYPE_OBJS) $(ENGINE_OBJS) $(WORKER_OBJS)

SQL_MODULES = sql/schema.sql sql/purchase_history.sql sql/model.sql sql/fit.sql sql/score.sql \
	sql/rfm.sql sql/portfolio.sql sql/output.sql sql/recompute.sql sql/job.sql sql/view.sql
DATA_built = sql/cvm--$(EXTVERSION).sql

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-cast-function-type
SHLIB_LINK = -lm
EXTRA_CLEAN = sql/cvm--$(EXTVERSION).sql

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

sql/cvm--$(EXTVERSION).sql: $(SQL_MODULES)
	cat $^ > $@
