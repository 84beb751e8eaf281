"""Fill an org with invented records, streaming: a batch of columns at a time, never a whole object."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.sandbox.invented import words
from adapters.sandbox.salesforce.ids import numbered_from
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.instants import literal
from adapters.sandbox.salesforce.people import Person, contacts, full_names, leads
from adapters.sandbox.salesforce.pools import Column, Pools
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.sessions import Login

BATCH = 5000
_KEEP_IDS = 200_000
_KEEP_PEOPLE = 20_000
Columns = dict[str, Column]


class Populator:
    """One filling of one org. Ids of earlier objects are kept (up to a bound) for later ones to point at."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.settings = instance.settings
        self.rates = instance.settings.nastiness
        self.dice = random.Random(instance.settings.seed)
        self.start = int(datetime.fromisoformat(self.settings.data_from).timestamp())
        self.end = int(datetime.fromisoformat(self.settings.data_until).timestamp())
        self.mass_second = self.start + (self.end - self.start) * 2 // 3
        self.pools = Pools(self.dice, self.start, self.end)
        self.ids: dict[str, list[str]] = {}
        self.people: list[Person] = []
        self.owners: list[str] = []
        self.inactive: list[str] = []
        self.serial = 0

    def fill(self) -> None:
        """Everything that the settings ask for, then the indexes."""
        settings = self.settings
        self._users()
        self._load("Group", 2, lambda one, size, columns: {"Name": ["Inbound", "Partners"][:size], "Type": ["Queue"] * size})
        self._load("Account", settings.accounts, self._accounts)
        self._load("Contact", settings.contacts, lambda one, size, columns: contacts(self, size, columns))
        self._load("Lead", settings.leads, lambda one, size, columns: leads(self, size, columns))
        self._campaigns()
        self._load("Opportunity", settings.opportunities, self._opportunities)
        self._roles()
        self._load("Task", settings.tasks, self._tasks)
        self._load("Subscription__c", settings.subscriptions, self._subscriptions)
        self.instance.records.build_indexes()

    def hits(self, size: int, rate: float) -> list[int]:
        """Random places in a batch, as many as the rate says."""
        if rate <= 0:
            return []
        count = int(size * rate) + (self.dice.random() < size * rate % 1)
        return [self.dice.randrange(size) for _ in range(count)]

    def some(self, name: str, size: int, missing: float = 0.0) -> Column:
        """References to living records of an object; `missing`: the share that is null."""
        held = self.ids.get(name)
        if not held:
            return [None] * size
        found: Column = self.dice.choices(held, k=size)
        for at in self.hits(size, missing):
            found[at] = None
        return found

    def _users(self) -> None:
        settings = self.settings
        names = [f"user{n}@example.com" for n in range(max(settings.users, 0))]
        count = max(1, round(len(names) * self.rates.inactive_owner)) if self.rates.inactive_owner and len(names) > 3 else 0

        def users(one: SObject, size: int, columns: Columns) -> Columns:
            everybody = [*names, settings.user_name]
            active = ["false" if 2 <= n < 2 + count else "true" for n in range(size)]
            firsts, lasts = words(self.dice, size), words(self.dice, size)
            return {
                "Username": everybody,
                "Email": everybody,
                "Alias": [f"u{n}" for n in range(size)],
                "FirstName": firsts,
                "LastName": lasts,
                "IsActive": active,
                "UserType": ["Standard"] * size,
                "TimeZoneSidKey": [settings.time_zone] * size,
                "LocaleSidKey": ["en_US"] * size,
            }

        self._load("User", len(names) + 1, users)
        *others, sync_id = self.ids["User"]
        self.instance.sessions.add(Login(settings.user_name, sync_id, settings.password, settings.time_zone))
        self.inactive = others[2 : 2 + count]
        self.owners = [one for one in others if one not in self.inactive] or [sync_id]

    def _load(self, name: str, count: int, special: Callable[[SObject, int, Columns], Columns]) -> None:
        """`special` gives the columns that are more than fillers; it sees those that there are."""
        one = self.instance.schema.objects.get(name)
        if one is None:
            return
        for done in range(0, count, BATCH):
            size = min(BATCH, count - done)
            columns: Columns = {spec.name: self.pools.column(name, spec, size) for spec in one.stored()}
            columns |= self._system(one, size, done / max(count, 1), size / max(count, 1))
            if one.custom:
                columns["Name"] = [f"{one.label} {one.number + n}" for n in range(size)]
            columns |= {key: value for key, value in special(one, size, columns).items() if key in one.fields}
            self._spoil(one, size, columns)
            if "FirstName" in one.fields:
                columns["Name"] = full_names(columns)
            self.instance.records.load(name, list(columns), zip(*columns.values(), strict=True))
            kept = self.ids.setdefault(name, [])
            if len(kept) < _KEEP_IDS:
                kept += [i for i, gone in zip(columns["Id"], columns["IsDeleted"], strict=True) if gone == "false"]

    def _system(self, one: SObject, size: int, begin: float, share: float) -> Columns:
        """Ids, stamps, owners, and who is deleted."""
        dice, span = self.dice, self.end - self.start
        low, width = self.start + span * begin, span * share
        stamps = [int(low + width * dice.random()) if n % 10 else self.start + int(span * dice.random()) for n in range(size)]
        for at in self.hits(size, self.rates.mass_update):
            stamps[at] = self.mass_second
        ids = numbered_from(one.prefix, one.number + 1, size)
        one.number += size
        modified = [literal(stamp) for stamp in stamps]
        deleted = ["false"] * size
        if one.name not in ("User", "Group"):
            for at in self.hits(size, self.rates.deleted):
                deleted[at] = "true"
        makers: Column = dice.choices(self.owners, k=size) if self.owners else ids
        columns: Columns = {
            "Id": ids,
            "IsDeleted": deleted,
            "SystemModstamp": modified,
            "LastModifiedDate": modified,
            "CreatedDate": [literal(stamp - (stamp - self.start) // 3) for stamp in stamps],
            "CreatedById": makers,
            "LastModifiedById": makers,
        }
        if "OwnerId" in one.fields:
            columns["OwnerId"] = self._owners(one, size)
        return columns

    def _owners(self, one: SObject, size: int) -> Column:
        found: Column = self.dice.choices(self.owners, k=size)
        if self.inactive:
            for at in self.hits(size, self.rates.inactive_owner):
                found[at] = self.dice.choice(self.inactive)
        if "Group" in one.fields["OwnerId"].refers_to and self.ids.get("Group"):
            for at in self.hits(size, self.rates.queue_owner):
                found[at] = self.ids["Group"][0]
        return found

    def _spoil(self, one: SObject, size: int, columns: Columns) -> None:
        """Texts that break careless programs, and values at their limits, in fields that take any text or number."""
        if one.name in ("User", "Group"):
            return
        free = [spec for spec in one.stored() if spec.writable and spec.type in ("string", "textarea") and not spec.unique]
        for at in self.hits(size, self.rates.awkward_text) if free else []:
            spec = self.dice.choice(free)
            columns[spec.name][at] = self.pools.awkward()[: spec.length]
        sized = [spec for spec in free if spec.length <= 255] + [
            spec for spec in one.stored() if spec.type in ("int", "double", "currency")
        ]
        for at in self.hits(size, self.rates.at_the_limit):
            if not (fitting := [each for each in sized if each.writable]):
                return
            spec = self.dice.choice(fitting)
            columns[spec.name][at] = self.pools.at_the_limit(spec)
        if "Description" in one.fields:
            for at in self.hits(size, self.rates.very_long_text):
                columns["Description"][at] = self.pools.at_the_limit(one.fields["Description"])

    # -- one object each ----------------------------------------------------------------------------------------------

    def _accounts(self, one: SObject, size: int, columns: Columns) -> Columns:
        parts = zip(self.dice.choices(self.pools.vocabulary, k=size), self.dice.choices(self.pools.vocabulary, k=size), strict=True)
        self.serial += size
        return {"Name": [f"{a} {b} {self.serial - n}" for n, (a, b) in enumerate(parts)], "ParentId": self.some("Account", size, 0.8)}

    def _opportunities(self, one: SObject, size: int, columns: Columns) -> Columns:
        stages = self.dice.choices(["Prospecting", "Proposal", "Closed Won", "Closed Lost"], k=size)
        closed = ["true" if stage.startswith("Closed") else "false" for stage in stages]
        days = [stamp[:10] for stamp in columns["SystemModstamp"]]
        return {
            "AccountId": self.some("Account", size, self.rates.missing_account),
            "CampaignId": self.some("Campaign", size, 0.7),
            "StageName": stages,
            "IsClosed": closed,
            "IsWon": ["true" if stage == "Closed Won" else "false" for stage in stages],
            "Probability": [100.0 if stage == "Closed Won" else 0.0 if stage == "Closed Lost" else 30.0 for stage in stages],
            "ForecastCategoryName": ["Closed" if done == "true" else "Pipeline" for done in closed],
            "ExpectedRevenue": [amount if amount is None else round(amount * 0.3, 2) for amount in columns["Amount"]],
            "CloseDate": days,
            "FiscalYear": [int(day[:4]) for day in days],
            "FiscalQuarter": [(int(day[5:7]) + 2) // 3 for day in days],
        }

    def _roles(self) -> None:
        """Two contacts per deal, one of them the primary one; every seventh deal has none."""
        deals = [deal for number, deal in enumerate(self.ids.get("Opportunity", [])) if number % 7]
        if deals and self.ids.get("Contact"):
            pairs = [(deal, primary) for deal in deals for primary in ("true", "false")]
            place = iter(pairs)

            def roles(one: SObject, size: int, columns: Columns) -> Columns:
                mine = [next(place) for _ in range(size)]
                return {"OpportunityId": [a for a, _ in mine], "IsPrimary": [b for _, b in mine], "ContactId": self.some("Contact", size)}

            self._load("OpportunityContactRole", len(pairs), roles)

    def _campaigns(self) -> None:
        settings = self.settings
        members = min(settings.members_per_campaign, len(self.ids.get("Contact", [])))
        self._load(
            "Campaign",
            settings.campaigns,
            lambda *_: {"IsActive": ["true"] * settings.campaigns, "NumberOfContacts": [members] * settings.campaigns},
        )
        campaigns = self.ids.get("Campaign", [])
        chosen = [(one, person) for one in campaigns for person in self.dice.sample(self.ids.get("Contact", []), members)]
        place = iter(chosen)

        def member(one: SObject, size: int, columns: Columns) -> Columns:
            mine = [next(place) for _ in range(size)]
            people = [b for _, b in mine]
            fixed: dict[str, Any] = {"Status": "Sent", "Type": "Contact", "LeadId": None}
            columns |= {key: [value] * size for key, value in fixed.items()}
            return {"CampaignId": [a for a, _ in mine], "ContactId": people, "LeadOrContactId": people}

        self._load("CampaignMember", len(chosen), member)

    def _tasks(self, one: SObject, size: int, columns: Columns) -> Columns:
        status = self.dice.choices(["Not Started", "Completed"], k=size)
        return {
            "WhoId": self.some("Contact", size, 0.2),
            "WhatId": self.some("Account", size, 0.5),
            "Status": status,
            "IsClosed": ["true" if one == "Completed" else "false" for one in status],
            "TaskSubtype": ["Task"] * size,
        }

    def _subscriptions(self, one: SObject, size: int, columns: Columns) -> Columns:
        return {"Contact__c": self.some("Contact", size, 0.1), "Account__c": self.some("Account", size, 0.3)}

    def remember_people(self, people: list[Person]) -> None:
        """Persons whom later records may share an address with."""
        self.people = (self.people + people)[-_KEEP_PEOPLE:]
