-- The tables of an export by their names, for a DuckDB file that Metabase, Superset or a person opens.
-- Type it in the folder above `output`, or write the folder's full path: a view keeps what it was told.
CREATE OR REPLACE VIEW contacts AS SELECT * FROM read_parquet('output/contacts.parquet');
CREATE OR REPLACE VIEW groups AS SELECT * FROM read_parquet('output/groups.parquet');
CREATE OR REPLACE VIEW contact_groups AS SELECT * FROM read_parquet('output/contact_groups.parquet');
CREATE OR REPLACE VIEW issues AS SELECT * FROM read_parquet('output/issues.parquet');
CREATE OR REPLACE VIEW calendar AS SELECT * FROM read_parquet('output/calendar.parquet');
CREATE OR REPLACE VIEW export_info AS SELECT * FROM read_parquet('output/export_info.parquet');
