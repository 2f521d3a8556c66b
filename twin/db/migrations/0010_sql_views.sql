-- A view per datasource in the schema twin_sql, for programs that speak SQL. twin/sqlviews keeps them.
CREATE SCHEMA IF NOT EXISTS twin_sql;

-- No reference: the row tells which view to drop when its datasource is gone.
CREATE TABLE sql_views (
    datasource_no int PRIMARY KEY,
    name          text NOT NULL UNIQUE,           -- never changes, also when the datasource is renamed
    shape         text NOT NULL                   -- digest of the keys that the view was made of
);
