-- Read once, by an empty PostgreSQL. The Market's database is made by POSTGRES_DB; this one is Prefect's.
CREATE DATABASE prefect;
