"""Custom objects of the sandbox: what marketsync's package installs, and one that an administrator made for their own business."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CustomObject:
    """An object that was added to an org: `fields` are lines as `field_from` reads them. `named`: whether people type its name; else
    Salesforce numbers the records."""

    name: str
    label: str = ""
    fields: tuple[str, ...] = ()
    named: bool = True


@dataclass(frozen=True)
class CustomField:
    """A field that an administrator added to an object."""

    object: str
    line: str


_KEY = "Mkt_Id__c string(64) ext unique"
_PERSON = (
    "Contact__c reference to=Contact rel=Contact__r children={0}",
    "Lead__c reference to=Lead rel=Lead__r children={0}",
)


def _about_a_person(children: str) -> tuple[str, ...]:
    return (_KEY, *(line.format(children) for line in _PERSON))


MKT_OBJECTS = (
    CustomObject(
        "Mkt_EmailActivity__c",
        "Marketing Email Activity",
        (
            *_about_a_person("Mkt_EmailActivities__r"),
            "Campaign__c string(255)",
            "Subject__c string(255)",
            "From_Address__c string(255)",
            "Address__c string(255)",
            "Sent_At__c datetime",
            "Delivery_Status__c string(20)",
            "Opens__c double(6,0)",
            "Clicks__c double(6,0)",
        ),
    ),
    CustomObject(
        "Mkt_Campaign__c",
        "Marketing Campaign",
        (
            _KEY,
            "Campaign_Key__c string(255)",
            "Opens__c double(9,0)",
            "People_Opened__c double(9,0)",
            "Clicks__c double(9,0)",
            "People_Clicked__c double(9,0)",
        ),
    ),
    CustomObject(
        "Mkt_Visit__c",
        "Marketing Visit",
        (
            *_about_a_person("Mkt_Visits__r"),
            "Started_At__c datetime",
            "Ended_At__c datetime",
            "Duration_S__c double(9,0)",
            "Pages__c double(6,0)",
            "Referrer__c textarea(32768)",
            "Landing_Page__c textarea(32768)",
        ),
    ),
    CustomObject(
        "Mkt_PageView__c",
        "Marketing Page View",
        (
            _KEY,
            "Visit__c reference to=Mkt_Visit__c rel=Visit__r children=Page_Views__r",
            "Url__c textarea(32768)",
            "Title__c string(255)",
            "Viewed_At__c datetime",
        ),
    ),
    CustomObject(
        "Mkt_Completion__c",
        "Marketing Completion",
        (
            *_about_a_person("Mkt_Completions__r"),
            "Page__c string(255)",
            "Url__c textarea(32768)",
            "Form__c string(255)",
            "Completed_At__c datetime",
            "Answers__c textarea(131072)",
        ),
    ),
    CustomObject(
        "Mkt_Registration__c",
        "Marketing Registration",
        (
            *_about_a_person("Mkt_Registrations__r"),
            "Event__c string(255)",
            "Place__c string(255)",
            "Starts_At__c datetime",
            "Registered_At__c datetime",
            "Attended_At__c datetime",
        ),
    ),
)
SUBSCRIPTION = CustomObject(
    "Subscription__c",
    "Subscription",
    (
        "Contact__c reference to=Contact rel=Contact__r children=Subscriptions__r",
        "Account__c reference to=Account rel=Account__r children=Subscriptions__r",
        "Plan__c picklist(255) restricted values=basic|plus|pro",
        "Status__c picklist(255) values=active|paused|ended",
        "Price__c currency(10,2)",
        "Seats__c double(6,0)",
        "Started__c date",
        "Renews_At__c datetime",
        "Auto_Renew__c boolean",
        "Note__c textarea(32000)",
    ),
)
