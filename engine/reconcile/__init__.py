"""The room `engine/reconcile`: see its README."""
