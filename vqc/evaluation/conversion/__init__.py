"""Voice conversion before judges from outside, beside what needs no network and what is not converted at all."""
