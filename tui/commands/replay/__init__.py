"""Commands on a past day: watched, gone through, traded by hand."""
