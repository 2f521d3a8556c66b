"""The audit trail: who changed what, when and from where. Entries are only ever added."""

from twin.audit.trail import record

__all__ = ["record"]
