"""Relationships: joins in a table of their own, and ids in a field of the other module."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sandbox.store import Database


@dataclass(frozen=True)
class Relationship:
    """`left` has the link `left_link` to `right`; `key` is the field of `right` that holds the left id, or empty for
    a join table, which can also be walked from `right` by `right_link`."""

    name: str
    left: str
    left_link: str
    right: str
    right_link: str = ""
    key: str = ""


RELATIONSHIPS = (
    Relationship("opportunities_contacts", "Opportunities", "contacts", "Contacts", "opportunities"),
    Relationship("prospect_list_contacts", "ProspectLists", "contacts", "Contacts", "prospect_lists"),
    Relationship("prospect_list_leads", "ProspectLists", "leads", "Leads", "prospect_lists"),
    Relationship("prospect_list_accounts", "ProspectLists", "accounts", "Accounts", "prospect_lists"),
    Relationship("prospect_list_users", "ProspectLists", "users", "Users", "prospect_lists"),
    Relationship("accounts_contacts", "Accounts", "contacts", "Contacts", key="account_id"),
    Relationship("account_leads", "Accounts", "leads", "Leads", key="account_id"),
    Relationship("accounts_opportunities", "Accounts", "opportunities", "Opportunities", key="account_id"),
    Relationship("contact_leads", "Contacts", "leads", "Leads", key="contact_id"),
    Relationship("contact_tasks", "Contacts", "tasks", "Tasks", key="contact_id"),
)
PRIMARY_ROLE = "Primary Decision Maker"


@dataclass(frozen=True)
class Side:
    """A relationship seen from one module: `near` and `far` are the columns of the join table."""

    relationship: Relationship
    far_module: str
    near: str
    far: str


def side(module: str, link: str) -> Side | None:
    """The relationship behind a link name of a module."""
    for rel in RELATIONSHIPS:
        if (rel.left, rel.left_link) == (module, link):
            return Side(rel, rel.right, "left_id", "right_id")
        if (rel.right, rel.right_link) == (module, link) and link:
            return Side(rel, rel.left, "right_id", "left_id")
    return None


def described() -> dict[str, dict[str, str]]:
    """The `relationships` part of the metadata answer."""
    return {
        rel.name: {
            "name": rel.name,
            "lhs_module": rel.left,
            "rhs_module": rel.right,
            "relationship_type": "one-to-many" if rel.key else "many-to-many",
            **({"rhs_key": rel.key} if rel.key else {"join_table": rel.name}),
        }
        for rel in RELATIONSHIPS
    }


class Links:
    """The join rows. `role` carries what the join itself knows, such as the role of a contact in a deal."""

    def __init__(self, database: Database) -> None:
        self._db = database
        database.execute(
            "create table links(rel text, left_id text, right_id text, role text, modified integer,"
            " primary key(rel, left_id, right_id)) without rowid"
        )
        database.execute("create index links_right on links(rel, right_id)")

    def load(self, rows: list[tuple[str, str, str, str, int]]) -> None:
        """Append (relationship, left, right, role, modified) joins; known ones stay."""
        self._db.execute("begin")
        self._db.connection.executemany("insert or ignore into links values (?, ?, ?, ?, ?)", rows)
        self._db.execute("commit")

    def join(self, where: Side, near_id: str, far_id: str, role: str, now: int) -> None:
        """Link two records, or change the role of the link. Neither record's stamp moves: trap of the real CRM."""
        left, right = (near_id, far_id) if where.near == "left_id" else (far_id, near_id)
        self._db.execute("insert or replace into links values (?, ?, ?, ?, ?)", (where.relationship.name, left, right, role, now))

    def part(self, where: Side, near_id: str, far_id: str) -> bool:
        """Unlink; False when they were not linked."""
        sql = f"delete from links where rel = ? and {where.near} = ? and {where.far} = ?"
        return self._db.execute(sql, (where.relationship.name, near_id, far_id)).rowcount > 0

    def role(self, where: Side, near_id: str, far_id: str) -> str:
        """The role of one join, empty if there is none."""
        sql = f"select role from links where rel = ? and {where.near} = ? and {where.far} = ?"
        found = self._db.execute(sql, (where.relationship.name, near_id, far_id)).fetchone()
        return found[0] if found else ""

    def count(self, relationship: str, left_id: str) -> int:
        """Joins of one left record."""
        sql = "select count(*) from links where rel = ? and left_id = ?"
        return int(self._db.execute(sql, (relationship, left_id)).fetchone()[0])

    def move(self, loser: str, winner: str) -> None:
        """After a merge everything that hung on the loser hangs on the winner, once."""
        for column in ("left_id", "right_id"):
            self._db.execute(f"update or ignore links set {column} = ? where {column} = ?", (winner, loser))
            self._db.execute(f"delete from links where {column} = ?", (loser,))

    def all(self, relationship: str) -> list[tuple[str, str, str]]:
        """Every (left, right, role) of a relationship."""
        sql = "select left_id, right_id, role from links where rel = ? order by left_id, right_id"
        return self._db.execute(sql, (relationship,)).fetchall()
