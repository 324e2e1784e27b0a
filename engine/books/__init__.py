"""Books compared: shares, divisions and deposits as the broker has them and as we do."""
