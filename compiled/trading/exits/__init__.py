"""Exits of rungs: what rests is moved on, and a part leaves beside the stop of the rest."""
