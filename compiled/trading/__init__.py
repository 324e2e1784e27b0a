"""Kernel of the desk: strategies, sizing, risk, orders, ladders and their protection."""
