"""One page that shows files beside what several codecs made of them: `vqc compare`."""
