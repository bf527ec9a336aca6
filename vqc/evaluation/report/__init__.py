"""The evaluation as one page of HTML: nothing is fetched, everything is in it."""
