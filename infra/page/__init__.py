"""The calculator as one file: a page that runs these very modules in the reader's browser."""
