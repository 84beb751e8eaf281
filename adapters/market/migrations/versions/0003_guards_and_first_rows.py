"""The account "No Company", where keys begin, and what keeps the consent ledger append-only.

Revision ID: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_FIRST_ROWS = """
INSERT INTO accounts (account_id, account_name, account_name_key) VALUES (1, 'No Company', NULL);
INSERT INTO key_sequences (table_name, next_key) VALUES ('users', 1), ('accounts', 2), ('contacts', 1), ('opportunities', 1)
"""

_SQLITE_GUARDS = tuple(
    f"""
    CREATE TRIGGER consent_ledger_no_{verb.lower()} BEFORE {verb} ON consent_ledger
    BEGIN SELECT RAISE(ABORT, 'the consent ledger is append-only'); END
    """
    for verb in ("UPDATE", "DELETE")
)

_POSTGRES_GUARDS = (
    """
    CREATE FUNCTION consent_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the consent ledger is append-only'; END $$
    """,
    """
    CREATE TRIGGER consent_ledger_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION consent_ledger_refuse()
    """,
)


def upgrade() -> None:
    for statement in _FIRST_ROWS.split(";"):
        op.execute(statement)
    for guard in _SQLITE_GUARDS if op.get_context().dialect.name == "sqlite" else _POSTGRES_GUARDS:
        op.execute(guard)
