"""Options, values, tables and progress that commands share."""
