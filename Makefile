# cvm: customer value management inside PostgreSQL (PGXS).
# The lists below are the table of contents of the sources.

EXTENSION = cvm
EXTVERSION = 0.1.0
MODULE_big = cvm

MATH_OBJS = src/math/special.o src/math/quadrature.o src/math/random.o src/math/optimise.o \
	src/math/gamma_quantile.o src/math/interval.o src/math/linear.o src/math/concentration.o \
	src/math/evaluation.o src/math/distribution.o src/math/experiment.o src/math/importance.o src/math/allocate.o \
	src/math/rhythm.o src/math/kmeans.o
MODEL_OBJS = src/models/registry.o src/models/numbering.o src/models/table.o src/models/single.o \
	src/models/fingerprint.o src/models/fit.o src/models/ladder.o src/models/shrunk.o src/models/purchases.o \
	src/models/coin_history.o src/models/coin_future.o src/models/bg_nbd.o src/models/mbg_nbd.o \
	src/models/pareto_race.o src/models/pareto_tails.o src/models/pareto_fit.o src/models/pareto_nbd.o \
	src/models/regular_history.o src/models/regular_future.o src/models/bg_cnbd_k.o src/models/mbg_cnbd_k.o \
	src/models/bg_bb.o src/models/bg_bb_fit.o src/models/gamma_gamma.o src/models/axes.o src/models/predictive.o src/models/uncertainty.o \
	src/models/total.o \
	src/models/covariate.o src/models/covariate_rows.o src/models/covariate_fit.o src/models/contract.o \
	src/models/sbg.o src/models/bdw.o
TYPE_OBJS = src/types/reader.o src/types/image.o src/types/amount.o src/types/calendar.o src/types/purchase_history.o src/types/history_io.o \
	src/types/history_aggregate.o src/types/model_type.o src/types/rfm.o src/types/survival_curve.o \
	src/types/survival.o src/types/answers.o src/types/answers_aggregate.o src/types/satisfaction.o \
	src/types/satisfaction_interval.o src/types/rhythm.o
ENGINE_OBJS = src/row.o src/fit.o src/covariate.o src/covariate_type.o src/question.o src/score.o \
	src/what_if.o src/discounted_spend.o src/next_purchase.o src/score_value.o src/simulate.o src/interval.o \
	src/recompute/recompute.o src/recompute/owner.o src/recompute/plan.o src/recompute/check.o \
	src/recompute/spool.o src/recompute/ranks.o src/recompute/buckets.o src/recompute/summarise.o \
	src/recompute/population.o src/recompute/segment.o src/recompute/value.o src/recompute/statement.o src/recompute/names.o \
	src/recompute/partition.o src/recompute/publish.o src/recompute/retire.o src/recompute/forget.o src/recompute/registry.o \
	src/recompute/subscription.o src/recompute/attribute.o src/recompute/customer_model.o src/recompute/retention.o \
	src/recompute/renewal_stat.o src/recompute/drift.o src/recompute/validate.o \
	src/recompute/holdout.o src/recompute/candidate.o src/recompute/verdict.o
METRIC_OBJS = src/metric/formula.o src/metric/sample.o src/metric/tally.o src/metric/review.o \
	src/metric/experiment.o src/metric/arm_test.o src/metric/design.o src/metric/assign.o \
	src/metric/driver_sample.o src/metric/driver_option.o src/metric/driver.o src/metric/driver_bootstrap.o \
	src/metric/driver_row.o src/metric/allocate.o src/metric/kmeans.o
WORKER_OBJS = src/worker/launcher.o src/worker/runner.o src/worker/account.o src/worker/job.o \
	src/worker/shared.o
OBJS = src/cvm.o $(MATH_OBJS) $(MODEL_OBJS) $(TYPE_OBJS) $(ENGINE_OBJS) $(METRIC_OBJS) $(WORKER_OBJS)

SQL_MODULES = sql/schema.sql sql/purchase_history.sql sql/model.sql sql/fit.sql sql/covariate.sql \
	sql/score.sql sql/simulate.sql sql/rfm.sql sql/survival_curve.sql sql/answers.sql sql/portfolio.sql \
	sql/feed.sql sql/alias.sql sql/attribute.sql sql/money.sql sql/report.sql sql/output.sql sql/recompute.sql sql/registry.sql sql/subscription.sql \
	sql/validation.sql sql/drift.sql sql/exchange.sql sql/job.sql sql/interval.sql sql/check.sql sql/view.sql sql/statement.sql sql/forget.sql \
	sql/value_formula.sql sql/retention.sql sql/concentration.sql sql/evaluation.sql sql/equity_formula.sql \
	sql/review.sql sql/assignment.sql sql/experiment.sql sql/uplift.sql sql/driver.sql sql/perceived_value.sql \
	sql/measure.sql sql/survey.sql sql/current_value.sql sql/acquisition.sql sql/contribution.sql sql/cohort.sql sql/cross_sell.sql sql/loyalty.sql \
	sql/deal.sql sql/contract_retention.sql sql/decision.sql sql/what_if.sql sql/dynamic_equity.sql sql/lifecycle.sql sql/segment.sql \
	sql/journey_rule.sql sql/journey.sql sql/experiment_results.sql sql/campaign.sql
DATA_built = sql/cvm--$(EXTVERSION).sql

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-cast-function-type
SHLIB_LINK = -lm
EXTRA_CLEAN = sql/cvm--$(EXTVERSION).sql

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
# A client package may bring pg_config and pgxs.mk without the server's headers.
SERVER_HEADER := $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h
ifneq ($(and $(wildcard $(PGXS)),$(wildcard $(SERVER_HEADER))),)
include $(PGXS)
else
all install installcheck clean:
	@echo "cvm needs PostgreSQL 15 or later with its server headers; '$(PG_CONFIG)' knows of none."
	@echo "'make deps' installs what is missing, or PG_CONFIG names the pg_config to use."
	@exit 1
endif

sql/cvm--$(EXTVERSION).sql: $(SQL_MODULES)
	cat $^ > $@

# What follows works where no PostgreSQL is installed yet: each installs what is missing, then builds
# a private copy and uses private servers; the checkout and the system's clusters stay as they are.
.PHONY: deps test soak bench demo demo-shell unit wire
export PG_CONFIG

deps:
	@tools/deps

test:
	@test/run

soak:
	@CVM_SOAK=1 test/run

bench:
	@bench/run

# DATA=file.csv [CUSTOMER= AT= AMOUNT= DATES=dmy|mdy AS_OF=]: one's own purchases
demo:
	@demo/run

demo-shell:
	@demo/run shell

# The C unit tests see no PostgreSQL header: plain objects of their own.
UNIT_CFLAGS = -std=gnu11 -O2 -g -fwrapv -fno-strict-aliasing -fexcess-precision=standard -Wall -Wextra -Werror -Isrc -Itest/unit
UNIT_OBJS = $(patsubst src/%.o,.build/%.o,$(MATH_OBJS) $(MODEL_OBJS))
UNIT_HEADERS = $(wildcard src/math/*.h src/models/*.h test/unit/*.h test/unit/truth/*.h)

unit: $(patsubst test/unit/%.c,.build/unit/%,$(wildcard test/unit/*_test.c))

.build/%.o: src/%.c $(UNIT_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c $< -o $@

.build/unit/%: test/unit/%.c $(UNIT_OBJS) $(UNIT_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $< $(UNIT_OBJS) -lm -o $@

wire: $(patsubst test/wire/%.c,.build/wire/%,$(wildcard test/wire/*_test.c))

.build/wire/%: test/wire/%.c test/unit/tap.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -I$(shell $(PG_CONFIG) --includedir) -Itest/unit $< \
		-L$(shell $(PG_CONFIG) --libdir) -lpq -lm -o $@
