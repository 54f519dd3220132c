"""What both commands check before they import anything that matters.

Law: PyPI's `Events` owns the import name `events`. Where the two do not share one site-packages directory its regular
package hides ours, and the operator is told so in one line instead of by a traceback.
"""

from importlib.util import find_spec

PROBE = "events.record"


def hidden() -> str | None:
    """`None` if `events` is ours (alone or beside the other), else one line that says what to do."""
    try:
        if find_spec(PROBE) is not None:
            return None
    except ImportError:
        pass
    top = find_spec("events")
    where = (top.origin if top else None) or "another package"
    return (
        f"the import name `events` leads to {where}, which hides the one of pvdcore; "
        "install pvdcore in a venv of its own: pipx install pvdcore"
    )
