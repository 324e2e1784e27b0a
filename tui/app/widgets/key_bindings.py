"""The action table as Textual's bindings."""

from textual.binding import Binding

from tui.key_actions import ACTIONS, KeyAction


def scope_bindings(scope: str) -> tuple[Binding, ...]:
    """Return a scope's bindings; a widget's own scope runs in the widget."""
    return tuple(_action_binding(action) for action in ACTIONS if action.scope == scope)


def _action_binding(action: KeyAction) -> Binding:
    return Binding(
        action.keys,
        action.run,
        action.verb,
        show=False,
        # they work in a field that is being typed in, too
        priority=action.fixed or action.id in {"quit", "palette"},
        # a key map goes by ids: what has none cannot be remapped
        id=None if action.fixed else action.id,
    )
