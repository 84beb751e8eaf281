"""The drop-down lists: key to label, as `<Module>/enum/<field>` gives them."""

from __future__ import annotations


def _same(*keys: str) -> dict[str, str]:
    return {key: key for key in keys}


def _blank(*keys: str) -> dict[str, str]:
    return {"": "", **_same(*keys)}


_STOCK: dict[str, dict[str, str]] = {
    "salutation_dom": {**_blank("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.")},
    "lead_source_dom": _blank(
        "Cold Call",
        "Existing Customer",
        "Self Generated",
        "Employee",
        "Partner",
        "Public Relations",
        "Direct Mail",
        "Conference",
        "Trade Show",
        "Web Site",
        "Word of mouth",
        "Email",
        "Campaign",
        "Other",
    ),
    "lead_status_dom": _blank("New", "Assigned", "In Process", "Converted", "Recycled", "Dead"),
    "available_language_dom": {"": "", "en_us": "English (US)", "de_DE": "Deutsch", "fr_FR": "Français"},
    "tier_list": {"": "", "g": "Gold", "s": "Silver", "b": "Bronze"},
    "interests_list": {"news": "News", "events": "Events", "a,b": "A, B & Co", "offers": "Offers"},
    "lawful_basis_dom": _same("consent", "contract", "legal_obligation", "legitimate_interest"),
    "ai_conv_score_dom": _blank("very_likely", "likely", "less_likely"),
    "opportunity_relationship_type_dom": _blank(
        "Primary Decision Maker", "Business Decision Maker", "Business Evaluator", "Technical Evaluator", "Other"
    ),
    "account_type_dom": _blank("Analyst", "Competitor", "Customer", "Investor", "Partner", "Prospect", "Other"),
    "industry_dom": _blank(
        "Apparel",
        "Banking",
        "Biotechnology",
        "Chemicals",
        "Construction",
        "Consulting",
        "Education",
        "Electronics",
        "Energy",
        "Engineering",
        "Food & Beverage",
        "Government",
        "Healthcare",
        "Technology",
    ),
    "service_level_dom": _blank("T1", "T2", "T3"),
    "opportunity_type_dom": _blank("Existing Business", "New Business"),
    "sales_stage_dom": _same(
        "Prospecting",
        "Qualification",
        "Needs Analysis",
        "Value Proposition",
        "Id. Decision Makers",
        "Perception Analysis",
        "Proposal/Price Quote",
        "Negotiation/Review",
        "Closed Won",
        "Closed Lost",
    ),
    "sales_status_dom": _same("New", "In Progress", "Closed Won", "Closed Lost"),
    "commit_stage_dom": _blank("include", "exclude", "upside"),
    "user_status_dom": _same("Active", "Inactive"),
    "license_type_dom": _same("SUGAR_SELL", "SUGAR_SERVE", "CURRENT"),
    "task_status_dom": _same("Not Started", "In Progress", "Completed", "Pending Input", "Deferred"),
    "task_priority_dom": _same("High", "Medium", "Low"),
    "call_status_dom": _same("Planned", "Held", "Not Held"),
    "call_direction_dom": _same("Inbound", "Outbound"),
    "meeting_status_dom": _same("Planned", "Held", "Not Held"),
    "dom_email_states": _same("Archived", "Draft", "Ready"),
    "dom_email_status": _same("archived", "closed", "draft", "read", "replied", "sent", "unread"),
    "dom_email_direction": _same("Inbound", "Outbound", "Internal", "Unknown"),
    "prospect_list_type_dom": _same("default", "seed", "exempt_domain", "exempt_address", "exempt", "test"),
    "campaign_status_dom": _blank("Planning", "Active", "Inactive", "Complete", "In Queue", "Sending"),
    "campaign_type_dom": _blank("Telesales", "Mail", "Email", "Print", "Web", "Radio", "Television", "NewsLetter"),
}


def stock_lists() -> dict[str, dict[str, str]]:
    """A fresh copy of all lists; a sandbox may change its own."""
    return {name: dict(values) for name, values in _STOCK.items()}
