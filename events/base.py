"""What every event has in common.

Law: an event is a frozen value, tagged with a word of our own (never a module path), that says what was seen.
"""

import msgspec


class Event(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True, kw_only=True):
    """The base of everything that can be journalled. Subclasses carry their own `tag`."""


class Part(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A piece of an event that comes in several kinds (an option, an operation)."""
