-- complain if the script is sourced in psql rather than through CREATE EXTENSION
\echo Use "CREATE EXTENSION cvm" to load this file. \quit

COMMENT ON SCHEMA cvm IS 'customer value management: types, models, portfolios and recompute jobs';
GRANT USAGE ON SCHEMA cvm TO PUBLIC;

