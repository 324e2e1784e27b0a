"""Day of the desk: opening, warm-up, the loop's turn, the two ways time passes."""
