"""The screens and the modals."""
